"""A sink that does nothing twice, behind a stage that makes two of one.

count -> Split -> Save
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from gate import Gate
from tape import Tape

from penstock import Pipeline, at, sink, source, stage

ITEMS = int(os.environ["ITEMS"])
REPLICAS = int(os.environ.get("REPLICAS", "1"))
BATCH = int(os.environ.get("BATCH", "0"))
DEDUPE = os.environ.get("DEDUPE", "1") == "1"


@source(max_restarts=1000)
def count(start: int = 0) -> Iterator[Any]:
    """Numbers, as far as the gate is open; it goes on where it was."""
    gate = Gate("count")
    for number in range(start, ITEMS):
        gate.wait(number)
        yield at(number + 1, number)


class Counting:
    """Each worker does as many calls as its gate says; how many it has begun is on a tape."""

    name: str

    def setup(self) -> None:
        """Lay the tape in."""
        self.gate, self.begun, self.calls = Gate(self.name), Tape(self.name), 0

    def wait(self) -> None:
        """For the next call. Of what comes behind it, who is killed meanwhile has done nothing."""
        self.begun.note(self.calls)
        self.gate.wait(self.calls)
        self.calls += 1


@stage(max_failures=1000, max_restarts=1000)
class Split(Counting):
    """Two numbers of one. Who is killed while it waits has made one of them."""

    name = "split"

    def __call__(self, number: int) -> Iterator[int]:
        """One item."""
        yield 2 * number
        self.wait()
        yield 2 * number + 1


class Saving(Counting):
    """On a tape when it is done."""

    name = "save"

    def setup(self) -> None:
        """Lay the tapes in."""
        super().setup()
        self.tape = Tape("saved")


class One(Saving):
    """One item in a call."""

    def __call__(self, number: int) -> None:
        """Save it."""
        self.wait()
        self.tape.note(number)


class Many(Saving):
    """Several items in a call."""

    def __call__(self, numbers: list[int]) -> None:
        """Save them."""
        self.wait()
        for number in numbers:
            self.tape.note(number)


KNOBS: Any = {
    "replicas": REPLICAS,
    "max_failures": 1000,
    "max_restarts": 1000,
    "dedupe": DEDUPE,
    "name": "Save",
}
Save: Any = sink(batch=BATCH, **KNOBS)(Many) if BATCH else sink(**KNOBS)(One)

pipeline = Pipeline("once", count >> Split >> Save)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
