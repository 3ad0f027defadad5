"""Arrays that are kept in windows, in shared memory, and looked at as a clip.

frames -> brighter x2 -> clips -> Look
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from gate import Gate
from tape import Tape

from penstock import Pipeline, sink, source, stage, tumbling

ITEMS = int(os.environ["ITEMS"])
SIZE = 1 << 15
Frame = np.ndarray[Any, np.dtype[np.int64]]


@source(max_restarts=100)
def frames() -> Iterator[Frame]:
    """Each is full of its number."""
    gate = Gate("frames")
    for number in range(ITEMS):
        gate.wait(number)
        yield np.full(SIZE, number)


@stage(replicas=2, max_restarts=100)
def brighter(frame: Frame) -> Frame:
    """Another array."""
    return frame + 1


@sink(max_restarts=100)
class Look:
    """Notes what is whole."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("seen")

    def __call__(self, clip: list[Frame]) -> None:
        """All of them."""
        for frame in clip:
            assert frame.min() == frame.max()
            self.tape.note(int(frame[0]) - 1)


pipeline = Pipeline("clips", frames >> brighter >> tumbling(count=16, name="clips", max_restarts=100) >> Look)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
