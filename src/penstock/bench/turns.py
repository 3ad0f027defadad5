"""When the next single item leaves: as soon as the last has arrived, or after a nap.

Pipeline and peer use the same, so that nothing but the link differs.
"""

from __future__ import annotations

import contextlib
import os
import time

from penstock.bench.trial import Trial

ASLEEP = "asleep"
"""The style of a trial in which both ends have fallen asleep before each item."""
NAP = 0.0015
"""Seconds: long enough for that."""


class Turns:
    """A named pipe between the two ends: one byte for each item that has arrived."""

    def __init__(self, trial: Trial) -> None:
        """Either end may come first."""
        self._naps = trial.style == ASLEEP
        path = trial.path("arrived")
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path)
        self._pipe = os.open(path, os.O_RDWR)

    def arrived(self) -> None:
        """At the end that receives: the link is idle again."""
        if not self._naps:
            os.write(self._pipe, b"!")

    def wait(self) -> None:
        """At the end that sends: until the next may leave."""
        if self._naps:
            time.sleep(NAP)
        else:
            os.read(self._pipe, 1)
