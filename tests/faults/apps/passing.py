"""Arrays that are passed on as they came, and as pieces, to a sink that looks at each of them twice.

frames -> Forward (2) -> again -> Look
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from typing import Any, TypedDict

import numpy as np
from gate import Gate
from tape import Tape

from penstock import Pipeline, sink, source, stage

ITEMS = int(os.environ["ITEMS"])
SIZE = int(os.environ["SIZE"])
"""Bytes of an array."""
KEEP = int(os.environ.get("KEEP", "0"))
"""So many the sink looks at again after it is through with them."""
Array = np.ndarray[Any, np.dtype[np.int64]]


class Frame(TypedDict):
    """An array each element of which is its number."""

    number: int
    pixels: Array


@source
def frames() -> Iterator[Frame]:
    """As far as the gate is open."""
    gate = Gate("frames")
    for number in range(ITEMS):
        gate.wait(number)
        yield {"number": number, "pixels": np.full(SIZE // 8, number)}


@stage(replicas=2)
class Forward:
    """Passes on the whole, or a piece of it."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("forwarded")

    def __call__(self, frame: Frame) -> Frame:
        """One array."""
        self.tape.note(frame["number"])
        if frame["number"] % 2:
            frame["pixels"] = frame["pixels"][SIZE // 64 :]
        return frame


@stage
def again(frame: Frame) -> Frame:
    """Passes on what was passed on."""
    return frame


@sink
class Look:
    """Notes the arrays that were right, and those that were not."""

    def setup(self) -> None:
        """Lay the tapes in."""
        self.came, self.wrong = Tape("came"), Tape("wrong")
        self.kept: deque[Frame] = deque()

    def __call__(self, frame: Frame) -> None:
        """One array, and one from before."""
        self.look(frame)
        self.came.note(frame["number"])
        self.kept.append(frame)
        if len(self.kept) > KEEP:
            self.look(self.kept.popleft())

    def look(self, frame: Frame) -> None:
        """Is it still what it was?"""
        if not (frame["pixels"] == frame["number"]).all():
            self.wrong.note(frame["number"])


pipeline = Pipeline("passing", frames >> Forward >> again >> Look)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
