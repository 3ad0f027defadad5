"""Arrays through workers that have started processes of their own; for seeing what a kill leaves.

frames -> House x2 -> keep
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np
from gate import Gate
from tape import Tape

from penstock import Context, Pipeline, sink, source, stage

ITEMS = int(os.environ["ITEMS"])
Array = np.ndarray[Any, np.dtype[Any]]


@source(max_restarts=100)
def frames() -> Iterator[Array]:
    """256 KiB each, so that they lie in shared memory; as far as the gate is open."""
    gate = Gate("frames")
    for number in range(ITEMS):
        gate.wait(number)
        yield np.full(65_536, number, "i4")


@stage(replicas=2, max_restarts=100)
class House:
    """Each replica has a child in its process group, and one that has left it."""

    def setup(self, ctx: Context) -> None:
        """Start them."""
        tape = Tape("children")
        for detached in (False, True):
            child = subprocess.Popen(["sleep", "1000"], start_new_session=detached)
            tape.note(child.pid)

    def __call__(self, frame: Array) -> Array:
        """A new array, in this worker's own shared memory."""
        return frame + 1


@sink(max_restarts=100)
class Keep:
    """Notes which arrays came, and keeps views of the last few."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("keep")
        self.kept: list[Array] = []

    def __call__(self, frame: Array) -> None:
        """One array."""
        assert (frame == frame[0]).all()
        self.kept = [*self.kept[-3:], frame]
        self.tape.note(int(frame[0]) - 1)


pipeline = Pipeline("household", frames >> House >> Keep)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
