"""A terminal: the real command, in processes of its own, on pipelines that a test can hold and release."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

PENSTOCK = [sys.executable, "-m", "penstock"]
LIMIT = 90

# `gate` keeps items in flight until the file `open` is there; `numbers` ends at the file `enough`.
APP = """
import time
from pathlib import Path
from penstock import Context, Pipeline, sink, source, stage

@source
def numbers(ctx: Context):
    number = 0
    while not ctx.stopping and not Path("enough").exists():
        yield number
        number += 1
        time.sleep(0.001)

@stage
def gate(number: int) -> int:
    while not Path("open").exists():
        time.sleep(0.005)
    return number

@sink
class Save:
    def setup(self, ctx: Context) -> None:
        ctx.log.info("saving begins")
    def __call__(self, number: int) -> None:
        if number == 0:
            print("zero is saved")
    def teardown(self, ctx: Context) -> None:
        ctx.log.info("saving ends")

pipeline = Pipeline("gated", numbers >> gate >> Save)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
"""


class Terminal:
    """A directory, and what is typed in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
        self.background: list[subprocess.Popen[str]] = []

    def write(self, name: str, text: str) -> None:
        """A file in the directory."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def type(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, and hold it to its exit code."""
        done = subprocess.run(
            [*PENSTOCK, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def ask(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command with ``--json``; its document."""
        document: dict[str, Any] = json.loads(self.type(*arguments, "--json", code=code).stdout)
        return document

    def start(self, *arguments: str, command: list[str] | None = None) -> subprocess.Popen[str]:
        """Run a command beside the others."""
        process = subprocess.Popen(
            [*(command or PENSTOCK), *arguments],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.background.append(process)
        return process

    def run(self, app: str = "app.py", name: str | None = None) -> subprocess.Popen[str]:
        """`penstock run`, once it is ready."""
        process = self.start("run", app)
        self.type("wait", "--for", "ready", "--timeout", "30s", *(["-p", name] if name else []))
        return process

    def await_callers(self, count: int) -> None:
        """Return when so many commands are connected to a pipeline (its listening socket is not counted)."""
        connected = 0
        deadline = time.monotonic() + LIMIT
        while connected < count:
            assert time.monotonic() < deadline, f"{connected} of {count} commands are connected"
            sockets = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()
            ours = [line for line in sockets if self.environment["PENSTOCK_RUN_DIR"] in line]
            connected = sum(line.endswith("/control.sock") for line in ours) - 1

    def open_gate(self) -> None:
        """Let everything through from now on."""
        (self.directory / "open").touch()


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for a background command; what it said."""
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
    return out + err
