"""Handlers that take too long, each in its own way.

count -> work -> record
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Pipeline, sink, source, stage

ITEMS = int(os.environ["ITEMS"])
SLOW = int(os.environ.get("SLOW", "-1"))
"""The item that takes long."""
HOW = os.environ.get("HOW", "")
TIMEOUT = os.environ.get("TIMEOUT")
HANG = 60


@source
def count() -> Iterator[int]:
    """0, 1, 2 ..."""
    yield from range(ITEMS)


@stage(timeout=TIMEOUT, max_failures=1, max_restarts=100)
class Work:
    """Quick but for one item."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.begun = Tape("begun")

    def __call__(self, number: int) -> int:
        """One item."""
        if number == SLOW:
            self.begun.note_time()
            linger()
        return number


def linger() -> None:
    """Take long."""
    if HOW == "hang":
        time.sleep(HANG)
    if HOW == "gil":  # PyDLL does not let go of the GIL: no other thread of this process runs meanwhile
        ctypes.PyDLL(None).sleep(int(os.environ["SECONDS"]))


@sink
class Record:
    """On a tape before it is settled, as far as the gate is open."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape, self.gate = Tape("record"), Gate("record")

    def __call__(self, number: int) -> None:
        """One number."""
        self.gate.wait(number)
        self.tape.note(number)


pipeline = Pipeline("slow", count >> Work >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
