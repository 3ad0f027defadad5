"""When the next single item leaves: as soon as the last has arrived, or after a nap.

Pipeline and peer use the same, so that nothing but the link differs.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
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


class Stamp:
    """When the message that is under way has left: in a file that both ends map, so that it is no part of
    what is sent, however large that is."""

    def __init__(self, trial: Trial) -> None:
        """Either end may come first."""
        file = os.open(trial.path("stamp"), os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(file, mmap.PAGESIZE)
        self._page = mmap.mmap(file, mmap.PAGESIZE)
        os.close(file)

    def now(self) -> None:
        """It leaves now."""
        struct.pack_into("q", self._page, 0, time.monotonic_ns())

    def age(self) -> int:
        """How long ago that was, in nanoseconds: all processes of a host have one clock, in any network."""
        sent: int = struct.unpack_from("q", self._page, 0)[0]
        return time.monotonic_ns() - sent
