"""Items taken in batches, among which some hurt: a list of numbers, and then stacked arrays.

count -> Double -> widen -> Record
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
from gate import Gate
from tape import Tape

from penstock import Context, Pipeline, sink, source, stage

ITEMS = int(os.environ["ITEMS"])
BAD = int(os.environ.get("BAD", "-1"))
"""What a batch with this one does is ``HOW``."""
HOW = os.environ.get("HOW", "")
TIMEOUT = "1s" if HOW == "hangs" else None
BATCH = 32
Array = np.ndarray[Any, np.dtype[np.int64]]


@source
def count() -> Iterator[int]:
    """Numbers, as far as the gate is open."""
    gate = Gate("count")
    for number in range(ITEMS):
        gate.wait(number)
        yield number


class Double:
    """Hurts with all of a batch where one of it hurts."""

    def setup(self) -> None:
        """Lay the tapes in."""
        self.lengths, self.touched, self.gate = Tape("lengths"), Tape("touched"), Gate("double")

    def __call__(self, numbers: list[int], ctx: Context) -> list[int]:
        """As many as it gets."""
        self.lengths.note(len(numbers))
        if BAD in numbers:
            self.touched.note(len(numbers))
        self.gate.wait(numbers[0])
        if BAD in numbers:
            hurt()
        return [2 * number for number in numbers]


def hurt() -> None:
    """As ``HOW`` says."""
    if HOW == "raises":
        raise ValueError(f"{BAD} is more than I can bear")
    if HOW == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


double = stage(batch=BATCH, batch_wait="20ms", max_failures=1, max_restarts=100, timeout=TIMEOUT, replicas=2)(
    Double
)


@stage
def widen(number: int) -> Array:
    """An array of it."""
    return np.full((2, 3), number)


@sink(batch=BATCH)
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, numbers: Array) -> None:
        """Stacked along a new first axis."""
        assert numbers.shape[1:] == (2, 3) and len(numbers) <= BATCH and numbers.dtype == np.int64
        for number in numbers[:, 1, 2].tolist():
            self.tape.note(number)


pipeline = Pipeline("batches", count >> double >> widen >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
