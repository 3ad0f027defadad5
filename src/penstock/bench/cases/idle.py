"""What a pipeline costs that has nothing to do."""

from __future__ import annotations

import os
import time
from pathlib import Path

from penstock.bench.case import Case, Measure
from penstock.bench.stand import APPS, Reading, Stand

SETTLE = 0.5
"""Seconds after the first item before the watch begins: starting is not idling."""
PARENT, USER, SYSTEM = 1, 11, 12
"""Places of the parent's pid and of the CPU ticks in /proc/<pid>/stat, counted after the command's ``)``."""


def ours(stand: Stand) -> Reading:
    """CPU time of the supervisor and all workers, in percent of one core."""
    with stand.run() as run:
        os.mkfifo(run.trial.path("gate"))
        top = run.start(str(APPS / "idle.py"))
        run.reading()
        time.sleep(SETTLE)
        share = share_of_a_core(top.pid, stand.effort.watch)
        with open(run.trial.path("gate"), "wb"):
            """The source's read ends with the file."""
        run.finish()
        return {"percent": 100 * share}


def share_of_a_core(top: int, seconds: float) -> float:
    """What a process and its descendants use of one core while they are watched for so long, from 0 to 1."""
    began, used = time.monotonic(), cpu_seconds(top)
    time.sleep(seconds)
    # What is less than the kernel counts is taken for one tick, a hundredth of a second.
    spent = max(cpu_seconds(top) - used, 1 / os.sysconf("SC_CLK_TCK"))
    return spent / (time.monotonic() - began)


def cpu_seconds(top: int) -> float:
    """CPU time used so far by a process and all its descendants that live."""
    ticks, children = process_table()
    total, waiting = 0, [top]
    while waiting:
        pid = waiting.pop()
        total += ticks.get(pid, 0)
        waiting += children.get(pid, [])
    return total / os.sysconf("SC_CLK_TCK")


def process_table() -> tuple[dict[int, int], dict[int, list[int]]]:
    """Ticks by pid, and children by pid."""
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text("utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        pid = int(path.parent.name)
        ticks[pid] = int(fields[USER]) + int(fields[SYSTEM])
        children.setdefault(int(fields[PARENT]), []).append(pid)
    return ticks, children


CASES = (
    Case(
        name="idle",
        about="supervisor and 4 workers of an idle pipeline",
        ours=ours,
        measures=(Measure(unit="% of a core", reading="percent", better="less", target=1.0),),
    ),
)
