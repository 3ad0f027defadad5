"""Run ``app.py`` and watch it learn; with ``--kill`` (or ``KILL=1``) kill one of its processes on the way.

Each stage has an environment of its own, as ``penstock.toml`` says, where this machine has their Pythons.

Ends with exit code 0 only if the pipeline ended well, every image arrived, none was lost and more
than nine of ten digits are recognised, whether or not something was killed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
VICTIM = "Augment"
GOOD = 0.9
LOOK = 0.1
"""Seconds between two looks at the report."""


@dataclass(frozen=True)
class Progress:
    """One line of the report that ``Train`` writes."""

    distinct: int
    of: int
    again: int
    accuracy: float
    finished: bool

    def __str__(self) -> str:
        bar = "#" * round(40 * self.accuracy)
        return f"  {self.distinct:>9,} of {self.of:,} images   accuracy {self.accuracy:6.1%}  {bar}"


class Report:
    """The file that grows while the pipeline runs."""

    def __init__(self, path: Path) -> None:
        """It need not exist yet."""
        self.path = path
        self.last: Progress | None = None
        self.read = 0

    def news(self) -> list[Progress]:
        """The lines that came since the last look."""
        text = self.path.read_text("utf-8") if self.path.exists() else ""
        lines = text[self.read : text.rfind("\n") + 1]
        self.read += len(lines)
        found = [Progress(**json.loads(line)) for line in lines.splitlines()]
        self.last = found[-1] if found else self.last
        return found


def penstock(*words: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """What the command says, run beside the app."""
    command = [sys.executable, "-m", "penstock", *words]
    return subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=False, **how)


def obstacle() -> str:
    """Why stages cannot have environments of their own here; empty: they can, and have them now."""
    checked = json.loads(penstock("env", "check", "--json").stdout)
    for finding in checked["findings"]:
        if finding["verdict"] == "bad":
            return f"{finding['subject']}: {finding['text']}"
    built = penstock("env", "build")  # a minute the first time: what is missing is downloaded
    return "" if built.returncode == 0 else "not all of their packages could be had"


def environments() -> list[str]:
    """Each stage in an environment of its own where that can be; otherwise all in this one. Says which."""
    if reason := obstacle():
        version = ".".join(map(str, sys.version_info[:3]))
        print(f"  all stages in one Python, {version} ({reason})\n", flush=True)
        return []
    for name in ("images", "augment", "train"):
        found = json.loads(penstock("env", "show", name, "--json").stdout)
        print(f"  {name:<8}  Python {found['python']:<8}  NumPy {found['packages']['numpy']}", flush=True)
    print(flush=True)
    return ["--profile", "apart"]


def start(report: Path, options: list[str]) -> subprocess.Popen[str]:
    """The pipeline, as anyone would start it; what it says comes here."""
    environment = {**os.environ, "DIGITS_REPORT": str(report)}
    return subprocess.Popen(
        [sys.executable, "-m", "penstock", "run", str(HERE / "app.py"), *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def echo(lines: IO[str]) -> None:
    """Pass on what the pipeline says."""
    for line in lines:
        print(line, end="", flush=True)


def kill_one() -> None:
    """``kill -9`` a replica, as the kernel does when memory runs out. Penstock is not told."""
    (pipeline,) = json.loads(penstock("ps", "--json", "--pipeline", "digits").stdout)["pipelines"]
    replicas = next(stage["replicas"] for stage in pipeline["stages"] if stage["name"] == VICTIM)
    victim = next(replica for replica in replicas if "pid" in replica)
    print(f"\n  kill -9 {victim['pid']}   ({victim['worker']})\n", flush=True)
    os.kill(victim["pid"], signal.SIGKILL)


def watch(pipeline: subprocess.Popen[str], report: Report, *, kill: bool) -> None:
    """Show each measurement until the pipeline has ended; a third of the way in, kill."""
    while pipeline.poll() is None:
        time.sleep(LOOK)
        for progress in report.news():
            print(progress, flush=True)
            if kill and 3 * progress.distinct >= progress.of:
                kill_one()
                kill = False
    for progress in report.news():
        print(progress, flush=True)


def ledger() -> dict[str, int]:
    """What the pipeline itself says became of its items; it is kept beside its logs."""
    state = Path(os.environ.get("PENSTOCK_STATE_DIR", HERE / ".penstock" / "digits"))
    totals: dict[str, int] = json.loads((state / "run.json").read_text("utf-8"))["totals"]
    return totals


def verdict(code: int, last: Progress | None) -> list[str]:
    """What was promised and not kept; empty when all is well."""
    if code != 0:
        return [f"the pipeline ended with exit code {code}"]
    if last is None or not last.finished:
        return ["the trainer never finished"]
    totals = ledger()
    broken = {
        f"the ledger says {totals}": totals["entered"] != last.of or totals["through"] != last.of,
        f"{last.of - last.distinct:,} images never arrived": last.distinct != last.of,
        f"an accuracy of {last.accuracy:.1%} is not above {GOOD:.0%}": last.accuracy <= GOOD,
    }
    return [sentence for sentence, holds in broken.items() if holds]


def main() -> int:
    """Run, watch, judge."""
    parser = argparse.ArgumentParser(description="Learn handwritten digits in separate processes.")
    parser.add_argument("--kill", action="store_true", help="kill -9 a replica a third of the way in")
    parser.add_argument("--plain", action="store_true", help="all stages in this Python")
    said = parser.parse_args()
    kill = said.kill or os.environ.get("KILL", "") not in {"", "0"}
    options = [] if said.plain else environments()
    with tempfile.TemporaryDirectory(prefix="digits-") as directory:
        report = Report(Path(directory) / "report.jsonl")
        with start(report.path, options) as pipeline:
            assert pipeline.stdout
            reader = threading.Thread(target=echo, args=[pipeline.stdout])
            reader.start()
            watch(pipeline, report, kill=kill)
            reader.join()
        broken = verdict(pipeline.returncode, report.last)
    if report.last:
        twice = f" ({report.last.again} came a second time)" if report.last.again else ""
        print(f"\n  learnt from {report.last.distinct:,} of {report.last.of:,} images{twice}", end="")
        print(f", recognises {report.last.accuracy:.1%} of those held out")
    for sentence in broken:
        print(f"  FAILED: {sentence}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
