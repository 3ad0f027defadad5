"""Numbers through three replicas to a tape: the pipeline of most kills.

count -> double x3 -> record
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Pipeline, sink, source, stage

ITEMS = int(os.environ["ITEMS"])


@source(max_restarts=100)
def count() -> Iterator[int]:
    """0, 1, 2 ... as far as the gate is open."""
    gate = Gate("count")
    for number in range(ITEMS):
        gate.wait(number)
        yield number


@stage(replicas=3, max_restarts=100)
def double(number: int) -> int:
    """Twice as much."""
    return 2 * number


@sink(max_restarts=100)
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, number: int) -> None:
        """One number."""
        self.tape.note(number // 2)


pipeline = Pipeline("doubling", count >> double >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
