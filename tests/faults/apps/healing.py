"""Items that cannot be done until something is mended: by the middle stage, and by the sink.

count -> Touch -> Save
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Pipeline, Reject, sink, source, stage

ITEMS = int(os.environ["ITEMS"])
FIRST = int(os.environ.get("FIRST", "0"))
REPLICAS = int(os.environ.get("REPLICAS", "1"))
KEY = os.environ.get("KEY") or None
HOPELESS = 50
"""Of every so many items, one is never mended."""


def refuse(number: int, rest: int) -> None:
    """Of every ten one, until it is mended."""
    mended = os.path.exists(os.path.join(os.environ["DESK"], "mended"))
    if number % 10 == rest and (not mended or number % HOPELESS == rest):
        raise Reject("not mended")


@source
def count() -> Iterator[dict[str, int]]:
    """Numbers, as far as the gate is open."""
    gate = Gate("count")
    for number in range(FIRST, FIRST + ITEMS):
        gate.wait(number)
        yield {"number": number}


@stage(replicas=REPLICAS, max_restarts=100, key=KEY)
class Touch:
    """Passes on what it can. Each worker does as many items as its gate says, then it waits."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.touched, self.gate, self.done = Tape("touched"), Gate("touch"), 0

    def __call__(self, item: dict[str, int]) -> dict[str, int]:
        """One item."""
        self.gate.wait(self.done)
        self.done += 1
        self.touched.note(item["number"])
        refuse(item["number"], 0)
        return item


@sink(max_restarts=100)
class Save:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape, self.gate, self.done = Tape("record"), Gate("save"), 0

    def __call__(self, item: dict[str, int]) -> None:
        """One item."""
        self.gate.wait(self.done)
        self.done += 1
        refuse(item["number"], 5)
        self.tape.note(item["number"])


pipeline = Pipeline("healing", count >> Touch >> Save)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
