"""A stage of two replicas under load, of which the stand kills one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import count

from penstock import Context, Pipeline, sink, source, stage
from penstock.bench.trial import Trial

trial = Trial.here()
WORK = 0.002
"""Seconds an item takes. Asleep, not computing: the measure is Penstock's, not the scheduler's."""


@source
def load() -> Iterator[int]:
    """More than two replicas can do, until the stand has seen the kill mended."""
    for number in count():
        if trial.over():
            return
        yield number


@stage(replicas=2)
class Work:
    """Notes each item it begins, in a log that outlives a kill: when, which, which attempt, and who."""

    def setup(self, ctx: Context) -> None:
        """Open the log. Appends of one line are whole, whoever else appends."""
        self.log = os.open(trial.path("begun.log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __call__(self, number: int, ctx: Context) -> int:
        """Note, then work."""
        os.write(self.log, b"%d %d %d %d\n" % (time.monotonic_ns(), number, ctx.attempt, os.getpid()))
        time.sleep(WORK)
        return number


@sink
class Arrived:
    """Counts each number once: at least once is the promise, and the reading says if it was kept."""

    def setup(self, ctx: Context) -> None:
        """Start with none."""
        self.seen: set[int] = set()

    def __call__(self, number: int) -> None:
        """Take one."""
        self.seen.add(number)

    def teardown(self) -> None:
        """Report how many of the numbers up to the highest are missing."""
        trial.report(missing=max(self.seen, default=-1) + 1 - len(self.seen))


pipeline = Pipeline("bench-recovery", load >> Work >> Arrived)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
