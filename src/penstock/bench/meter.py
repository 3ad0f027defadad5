"""What messages cost: processor time and memory of the processes at both ends, libzmq's threads included."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

CPU, MEMORY = "us CPU", "MB"
"""Names of readings: processor time a message, and the most memory that was in use."""
CPU_CLOCK = 2
"""By which the kernel accounts a process, in the number that names its clock (``clock_getcpuclockid``)."""
FORGET_PEAK = "5"
"""See ``clear_refs`` in proc(5)."""


def spent(pid: int) -> int:
    """Nanoseconds of processor time that a process has taken so far."""
    return time.clock_gettime_ns((~pid << 3) | CPU_CLOCK)


def peak(pid: int) -> int:
    """Bytes: the most memory a process has had since that was forgotten; 0 where the kernel does not say."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


class Meter:
    """Read between two moments, over and over."""

    def __init__(self, pids: Sequence[int]) -> None:
        """Begins at once."""
        self._pids = pids
        self.begin()

    def begin(self) -> None:
        """What was before does not count."""
        for pid in self._pids:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
                file.write(FORGET_PEAK)
        self._before = self._spent()

    def read(self, messages: int) -> dict[str, float]:
        """What each of so many messages took since the beginning."""
        return {
            CPU: (self._spent() - self._before) / 1e3 / messages,
            MEMORY: sum(map(peak, self._pids)) / 1e6,
        }

    def _spent(self) -> int:
        return sum(map(spent, self._pids))
