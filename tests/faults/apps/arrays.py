"""Arrays that say themselves whether they are right, through a stage to a sink that may keep them.

frames -> Turn -> Keep
"""

from __future__ import annotations

import os
import signal
import zlib
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
"""So many the sink keeps until its end."""
POISON = int(os.environ.get("POISON", "-1"))
"""The array that kills its worker."""
Array = np.ndarray[Any, np.dtype[Any]]


class Frame(TypedDict):
    """An array, and what it must hold."""

    number: int
    pixels: Array
    check: int


def check(pixels: Array) -> int:
    """A checksum of all its bytes."""
    return zlib.crc32(pixels.tobytes())


@source
def frames() -> Iterator[Frame]:
    """Random bytes, by chance the same in every run; as far as the gate is open."""
    gate, luck = Gate("frames"), np.random.default_rng(7)
    for number in range(ITEMS):
        gate.wait(number)
        pixels = luck.integers(0, 256, SIZE, "u1")
        yield {"number": number, "pixels": pixels, "check": check(pixels)}


@stage(max_failures=1)
def turn(frame: Frame) -> Frame:
    """Each byte's complement."""
    assert check(frame["pixels"]) == frame["check"]
    if frame["number"] == POISON:
        os.kill(os.getpid(), signal.SIGSEGV)
    pixels = ~frame["pixels"]
    return {"number": frame["number"], "pixels": pixels, "check": check(pixels)}


@sink
class Keep:
    """Notes the arrays that were right: when they came, and again at the end."""

    def setup(self) -> None:
        """Lay the tapes in."""
        self.came, self.kept_well = Tape("came"), Tape("kept")
        self.kept: list[Frame] = []

    def __call__(self, frame: Frame) -> None:
        """One array."""
        if check(frame["pixels"]) == frame["check"]:
            self.came.note(frame["number"])
        if len(self.kept) < KEEP:
            self.kept.append(frame)

    def teardown(self) -> None:
        """Look at those that were kept again."""
        for frame in self.kept:
            if check(frame["pixels"]) == frame["check"]:
                self.kept_well.note(frame["number"])


pipeline = Pipeline("arrays", frames >> turn >> Keep)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
