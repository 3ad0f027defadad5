"""A source that is faster than what it feeds, which may drop.

count -> work -> record
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from gate import Gate
from tape import Tape

from penstock import Pipeline, sink, source, stage

ITEMS = int(os.environ["ITEMS"])
POLICY: Any = os.environ["POLICY"]
MAX_AGE = os.environ.get("MAX_AGE")


@source
def count() -> Iterator[int]:
    """0, 1, 2 ..., once the gate is open."""
    Gate("count").wait(0)
    yield from range(ITEMS)


@stage(on_full=POLICY, max_age=MAX_AGE, max_failures=100, max_restarts=100)
def work(number: int) -> int:
    """Quick."""
    return number


@sink(on_full=POLICY, max_age=MAX_AGE, max_failures=100, max_restarts=100)
class Record:
    """On a tape before it is settled, once the gate is open."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape, self.gate = Tape("record"), Gate("record")

    def __call__(self, number: int) -> None:
        """One number."""
        self.gate.wait(number)
        self.tape.note(number)


pipeline = Pipeline("overflow", count >> work >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
