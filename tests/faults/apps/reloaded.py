"""Numbers through a stage whose code is beside the app, in a file that a test edits.

count -> work x2 (edited.py) -> record
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Pipeline, sink, source, stage

ITEMS = int(os.environ["ITEMS"])


@source
def count() -> Iterator[int]:
    """0, 1, 2 ... as far as the gate is open."""
    gate = Gate("count")
    for number in range(ITEMS):
        gate.wait(number)
        yield number


@sink
class Record:
    """Which number, and by which edition of the code."""

    def setup(self) -> None:
        """Lay the tapes in."""
        self.tape = Tape("record")
        self.editions = Tape("editions")

    def __call__(self, item: tuple[int, int]) -> None:
        """One number."""
        self.tape.note(item[0])
        self.editions.note(item[1])


work = stage(os.environ["DESK"] + "/code/edited.py:work", replicas=2)
pipeline = Pipeline("reloaded", count >> work >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
