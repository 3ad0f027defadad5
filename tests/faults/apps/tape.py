"""Numbers in a file, one write each: what a kill leaves is whole, and nothing is lost with a process."""

from __future__ import annotations

import os
import time


class Tape:
    """May be written by many processes at once."""

    def __init__(self, name: str) -> None:
        path = os.path.join(os.environ["DESK"], f"{name}.tape")
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, number: int) -> None:
        """Add a number."""
        os.write(self._file, number.to_bytes(8, "little", signed=True))

    def note_time(self) -> None:
        """Add the time, in nanoseconds of the clock that all processes share."""
        self.note(time.monotonic_ns())
