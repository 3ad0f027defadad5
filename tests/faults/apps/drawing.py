"""The second half of a durable link.

(numbers) -> double -> Record
"""

from __future__ import annotations

import os
from typing import Any

from gate import Gate
from tape import Tape

from penstock import Pipeline, Reject, from_queue, sink, stage

REPLICAS = int(os.environ.get("REPLICAS", "1"))
BAD = int(os.environ.get("BAD", "-1"))


@stage(max_restarts=100)
def double(item: dict[str, Any]) -> int:
    """The number, twice, if it is what its array says."""
    number = item["number"]
    if number == BAD or any(each != number for each in item["array"][:3]):
        raise Reject("not what it says")
    return int(number) * 2


@sink(max_restarts=100)
class Record:
    """On a tape before it is settled, as far as its gate is open."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape, self.gate, self.done = Tape("record"), Gate("record"), 0

    def __call__(self, doubled: int) -> None:
        """One item."""
        self.gate.wait(self.done)
        self.done += 1
        self.tape.note(doubled // 2)


drawn = from_queue("numbers", max_restarts=100, replicas=REPLICAS)
pipeline = Pipeline("drawing", drawn >> double >> Record)
