"""The test stand: starts the processes of one run, waits for their reading, leaves nothing behind.

Every run has fresh processes and a directory of its own; nothing is warm from the run before.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from penstock.bench.folder import folder, sweep
from penstock.bench.road import LOOPBACK, Road
from penstock.bench.trial import Trial
from penstock.errors import PipelineFailed

APPS = Path(__file__).parent / "apps"
LIMIT = 60.0
"""Seconds after which a run is given up; the longest takes some 15."""
LOOK = 0.005
"""Seconds between two looks at a file that is waited for."""

Reading = Mapping[str, Any]
"""What a run measured, by name: numbers, and of a ramp its steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured."""

    runs: int = 5
    """Alternating runs of each contender."""
    warm: float = 0.5
    """Seconds that are not counted."""
    seconds: float = 3.0
    """Seconds that are."""
    samples: int = 2000
    """Single items a latency is taken from."""
    watch: float = 10.0
    """Seconds an idle pipeline is watched."""
    jobs: int = 5000
    """Jobs that are run."""
    backlog: int = 1_000_000
    """Jobs that wait, where many do."""


FULL = Effort()
QUICK = Effort(runs=1, warm=0.1, seconds=0.3, samples=200, watch=1.0, jobs=300, backlog=5000)
"""To see that everything works; its numbers mean little."""


class Run:
    """One run of one contender: its directory and its processes, gone on leaving the ``with``."""

    def __init__(self, trial: Trial) -> None:
        """Nothing is started yet."""
        self.trial = trial
        self.variables: dict[str, str] = {}
        """Of its processes, besides those that all have."""
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def start(self, *arguments: str, through: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start this Python with ``arguments``, in a process group of its own. ``through``: words before
        that, of a command that brings it elsewhere."""
        environment = {**os.environ, **self.trial.environment()}
        environment["PENSTOCK_STATE_DIR"] = self.trial.path("state")
        environment["PENSTOCK_JOBS"] = self.trial.path("jobs.db")
        environment.update(self.variables)
        with open(self.trial.path("output.log"), "ab") as output:
            process = subprocess.Popen(
                [*through, sys.executable, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def reading(self) -> Reading:
        """What the run reported, as soon as it has.

        Raises:
            PipelineFailed: a process ended before that, or it took too long.
        """
        path = Path(self.trial.path("reading.json"))
        for _ in patience("no reading", self.output):
            ended = [process for process in self._processes if process.poll() is not None]
            if path.exists():
                reading: dict[str, Any] = json.loads(path.read_text("utf-8"))
                return reading
            if ended:
                raise PipelineFailed(f"it ended before there was a reading:\n{self.output()}")
        raise AssertionError("patience ends by raising")

    def finish(self) -> None:
        """Wait until the pipeline has drained: a run that lost something has no reading.

        Raises:
            PipelineFailed: it did not end, or not well, or its ledger is short of an item.
        """
        for process in self._processes:
            try:
                code = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                raise PipelineFailed(f"it did not end within {LIMIT:g} s:\n{self.output()}") from None
            if code != 0:
                raise PipelineFailed(f"it ended with exit code {code}:\n{self.output()}")
        summary = json.loads(Path(self.trial.path("state/run.json")).read_text("utf-8"))
        if summary["totals"]["through"] != summary["totals"]["entered"]:
            raise PipelineFailed(f"its ledger does not add up: {summary['totals']}")

    def output(self) -> str:
        """The last lines its processes printed."""
        with open(self.trial.path("output.log"), encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-15:])


class Stand:
    """Makes runs, all with the same effort."""

    def __init__(self, effort: Effort, broker: str = "", road: Road = LOOPBACK) -> None:
        """``effort`` holds for every run. ``broker``: the URL of a RabbitMQ for the cases that need one;
        ``road``: what is between the hosts of those that have two."""
        self.effort = effort
        self.broker = broker
        self.road = road
        sweep()

    @contextlib.contextmanager
    def run(self, **fields: Any) -> Iterator[Run]:
        """A run with these fields of its trial; directory and processes are gone afterwards."""
        effort = self.effort
        with folder() as directory:
            trial = Trial(
                directory=directory,
                stand=os.getpid(),
                broker=self.broker,
                warm=effort.warm,
                seconds=effort.seconds,
                samples=effort.samples,
                **{"jobs": effort.jobs, **fields},
            )
            with Run(trial) as run:
                yield run

    def pipeline(self, app: str, **fields: Any) -> Reading:
        """Run a pipeline to its clean end and return what it reported."""
        with self.run(**fields) as run:
            run.start(str(APPS / app))
            reading = run.reading()
            run.finish()
            return reading

    def peer(self, *roles: str, **fields: Any) -> Reading:
        """Run the peer's processes until there is a reading; nobody asks what they lost."""
        with self.run(**fields) as run:
            for role in roles:
                run.start("-m", "penstock.bench.peers", role)
            return run.reading()


def patience(complaint: str, output: Any) -> Iterator[None]:
    """Look again and again, until the limit.

    Raises:
        PipelineFailed: the limit was reached.
    """
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        yield
        time.sleep(LOOK)
    raise PipelineFailed(f"{complaint} within {LIMIT:g} s:\n{output()}")
