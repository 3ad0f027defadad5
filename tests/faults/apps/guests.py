"""Numbers through scripts that are attached from outside, and numbers that such a script makes.

count -> work (scripts) -> record <- feed (a script)
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from gate import Gate
from tape import Tape

import penstock
from penstock import Pipeline, sink, source

ITEMS = int(os.environ["ITEMS"])


@source
def count() -> Iterator[int]:
    """0, 1, 2 ... as far as the gate is open."""
    gate = Gate("count")
    for number in range(ITEMS):
        gate.wait(number)
        yield number


@sink(ordered="ORDERED" in os.environ)
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, number: int) -> None:
        """One number."""
        self.tape.note(number)


work = penstock.external("work", replicas=2, max_failures=100, timeout=os.environ.get("LIMIT"))
feed = penstock.external("feed", kind="source")
pipeline = Pipeline("guests", count >> work >> Record, feed >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
