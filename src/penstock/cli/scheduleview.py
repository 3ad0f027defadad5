"""Schedules as people and programs read them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from penstock.cli import terminal
from penstock.cli.table import table
from penstock.tasks.desk import Timing
from penstock.tasks.job import JobRow

HEADER = ("TASK", "GROUP", "WHEN", "NEXT", "LAST", "")


def fields(timing: Timing) -> dict[str, Any]:
    """One for a JSON document; times in milliseconds since 1970."""
    schedule = timing.schedule
    return {
        "group": timing.group,
        "task": timing.task,
        "every": schedule.every,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "paused": timing.paused,
        "next": timing.tick,
        "job": _brief(timing.job),
        "last": _brief(timing.last),
    }


def table_of(timings: Sequence[Timing]) -> list[str]:
    """A line for each."""
    return table([_cells(each) for each in timings], HEADER)


def _cells(timing: Timing) -> list[str]:
    last = timing.last
    return [
        timing.task,
        timing.group,
        str(timing.schedule),
        _next(timing.job),
        f"{last.state} {_when(last.finished_at)}" if last else "",
        _note(timing),
    ]


def _next(job: JobRow | None) -> str:
    if job is None:
        return ""
    return _when(job.run_at) if job.state == "scheduled" else f"{job.state} (job {job.seq})"


def _note(timing: Timing) -> str:
    """What is to be known besides: that it is held, or why it failed."""
    if timing.paused:
        return terminal.doubtful("paused" if timing.paused == "paused" else f"paused: {timing.paused}")
    return timing.last.cause if timing.last and timing.last.state == "dead" else ""


def _brief(job: JobRow | None) -> dict[str, Any] | None:
    names = ("id", "seq", "state", "run_at", "finished_at", "cause")
    return None if job is None else {name: getattr(job, name) for name in names}


def _when(milliseconds: int | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime((milliseconds or 0) / 1000))
