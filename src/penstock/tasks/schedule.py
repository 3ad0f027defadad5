"""When a task is called by itself: ``@task(every="1h")``, ``@task(cron="0 3 * * *")``."""

from __future__ import annotations

import hashlib

import msgspec

from penstock.tasks.job import NewJob, Rules, uuid7

UTC = "UTC"
BY = "its schedule"
"""In place of who submitted a job."""


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True):
    """Its ticks, as the task says them. They depend on nothing but this: every process counts the same."""

    every: int = 0
    """Milliseconds from one to the next, counted from 1970; 0: as ``cron`` says."""
    cron: str = ""
    timezone: str = UTC
    """Whose clocks ``cron`` means."""

    def __str__(self) -> str:
        """As people say it: ``every 1h``, ``0 3 * * * Europe/Paris``."""
        if self.every:
            return f"every {_span(self.every)}"
        return self.cron if self.timezone == UTC else f"{self.cron} {self.timezone}"


class Scheduled(msgspec.Struct, frozen=True, omit_defaults=True):
    """A task that has a schedule, and how its jobs are to be treated."""

    group: str
    task: str
    schedule: Schedule
    args: bytes
    """Those of a call without any."""
    priority: int = 0
    unique: str = ""
    rules: Rules = Rules()

    def job(self, tick: int) -> NewJob:
        """That of one tick, always under the same id: it can be on disk once."""
        seed = hashlib.sha256(f"{self.group}\0{self.task}".encode()).digest()
        return NewJob(
            group=self.group,
            task=self.task,
            args=self.args,
            id=uuid7(tick, seed),
            priority=self.priority,
            run_at=tick,
            unique=self.unique,
            rules=self.rules,
            by=BY,
        )


def scheduled(schedule: Schedule, call: NewJob) -> Scheduled:
    """Its ticks make jobs like ``call``."""
    return Scheduled(call.group, call.task, schedule, call.args, call.priority, call.unique, call.rules)


def _span(milliseconds: int) -> str:
    """As it is written, in the largest unit that makes it whole."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"
