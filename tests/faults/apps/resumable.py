"""Numbers in order, from a source that can go on where it was, over workers that are not alike.

count -> work -> record
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Pipeline, at, sink, source, stage

END = int(os.environ.get("END", "1000000000"))
PACE = float(os.environ.get("PACE", "0"))


@source(max_restarts=1000)
def count(start: int = 0) -> Iterator[int]:
    """Each number with its own position; where it starts is on a tape."""
    Tape("starts").note(start)
    gate = Gate("count")
    for number in range(start, END):
        gate.wait(number)
        yield at(number + 1, number)


@stage(replicas=3, max_restarts=1000)
def work(number: int) -> int:
    """Some take longer, so that items are settled out of order."""
    time.sleep(PACE * (number % 7))
    return number


@sink
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, number: int) -> None:
        """One number."""
        self.tape.note(number)


pipeline = Pipeline("resumable", count >> work >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
