"""Numbers through many stages, each of several replicas: far more workers than cores.

count -> step0 x4 -> step1 x4 -> ... -> record
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Pipeline, sink, source, stage

STAGES = int(os.environ["STAGES"])
PATIENCE = "5m"
"""Hundreds of Pythons on two cores take their time to start."""


@source(start_timeout=PATIENCE)
def count() -> Iterator[int]:
    """0, 1, 2 ... as far as the gate is open."""
    gate = Gate("count")
    for number in range(1 << 40):
        gate.wait(number)
        yield number


def step(number: int) -> int:
    """One more."""
    return number + 1


@sink(start_timeout=PATIENCE)
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, number: int) -> None:
        """One number."""
        self.tape.note(number - STAGES)


flow = count >> stage(name="step0", replicas=4, start_timeout=PATIENCE)(step)
for place in range(1, STAGES):
    flow = flow >> stage(name=f"step{place}", replicas=4, start_timeout=PATIENCE)(step)
pipeline = Pipeline("crowd", flow >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
