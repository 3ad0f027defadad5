"""Runs in the supervisor: what a process uses, as the kernel tells."""

from __future__ import annotations

import os
from typing import NamedTuple

TICK = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
UTIME, STIME, RSS = 11, 12, 21
"""Fields of /proc/<pid>/stat, counted from the one behind the command's ``)``."""


class Usage(NamedTuple):
    """Of one process, all its threads together."""

    cpu: float = 0.0
    """Seconds of processor time so far."""
    rss: int = 0
    """Bytes of memory that are its own or shared with it, arenas included."""


def of(pid: int) -> Usage:
    """What ``pid`` uses; nothing when it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return Usage()
    return Usage((int(fields[UTIME]) + int(fields[STIME])) * TICK, int(fields[RSS]) * PAGE)
