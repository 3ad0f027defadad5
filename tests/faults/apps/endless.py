"""Numbers without end, until somebody drains: all that was made is to be through then.

count -> work -> record
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from tape import Tape

from penstock import Pipeline, sink, source, stage

PACE = float(os.environ.get("PACE", "0"))
"""Seconds that an item takes in ``work``."""


@source
def count() -> Iterator[int]:
    """0, 1, 2 ... without end, and without a look at ``ctx.stopping``."""
    number = 0
    while True:
        yield number
        number += 1


@stage(replicas=int(os.environ.get("REPLICAS", "1")), max_restarts=100)
def work(number: int) -> int:
    """Takes its time."""
    if PACE:
        time.sleep(PACE)
    return number


@sink(replicas=2)
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, number: int) -> None:
        """One number."""
        self.tape.note(number)


pipeline = Pipeline("endless", count >> work >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
