"""From kill -9 of a replica to the moment all it held is being worked on elsewhere."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

from penstock.bench.case import Case, Measure
from penstock.bench.stand import APPS, Reading, Run, Stand, patience
from penstock.errors import PipelineFailed

LOADED = 100
"""Items both replicas together must have begun before one is killed: by then both windows are full."""
AFTER = 1.0
"""Seconds of further load after the kill."""


class Begun(NamedTuple):
    """One line of the log the stage writes before it works."""

    at: int
    """CLOCK_MONOTONIC, ns."""
    number: int
    attempt: int
    pid: int


def ours(stand: Stand) -> Reading:
    """Kill one of two replicas under load, once; nothing may be missing at the end."""
    with stand.run() as run:
        run.start(str(APPS / "recovery.py"))
        victim = busy_replica(run)
        killed = time.monotonic_ns()
        os.kill(victim, signal.SIGKILL)
        time.sleep(AFTER)
        run.trial.finish()
        missing = run.reading()["missing"]
        run.finish()
        if missing:
            raise PipelineFailed(f"{missing:g} items never arrived")
        return {"milliseconds": (resumed(log(run), victim) - killed) / 1e6}


def busy_replica(run: Run) -> int:
    """The pid of the replica that began an item last, once both are at work."""
    for _ in patience("the stage is not under load", run.output):
        begun = log(run)
        if len(begun) >= LOADED and len({line.pid for line in begun}) == 2:
            return begun[-1].pid
    raise AssertionError("patience ends by raising")


def log(run: Run) -> list[Begun]:
    """What has been begun so far."""
    path = Path(run.trial.path("begun.log"))
    lines = path.read_text("ascii").splitlines() if path.exists() else []
    return [Begun(*map(int, line.split())) for line in lines]


def resumed(begun: list[Begun], victim: int) -> int:
    """When the last of the items the victim held was begun by another (ns).

    Raises:
        PipelineFailed: none was, so it was idle when it was killed and there is nothing to measure.
    """
    again: dict[int, int] = {}
    for line in begun:
        if line.attempt > 1 and line.pid != victim:
            again.setdefault(line.number, line.at)
    if not again:
        raise PipelineFailed("nothing was delivered again")
    return max(again.values())


CASES = (
    Case(
        name="recovery",
        about="kill -9 of one of 2 replicas -> all its items in work elsewhere",
        ours=ours,
        measures=(Measure(unit="ms", reading="milliseconds", better="less", target=200.0),),
    ),
)
