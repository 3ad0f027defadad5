"""Take away what dead runs have left: processes, sockets, shared memory. Done at each start, and at the end.

A run is dead when nobody holds its lock. Its workers have died with their supervisor (the kernel saw to it);
what they had started themselves may live on, and is known by PENSTOCK_RUN in its environment, which every
process inherits and hardly any changes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import NamedTuple

from penstock.runtime import rundir

VARIABLE = "PENSTOCK_RUN"
"""In the environment of every process of a run: the path of its run directory."""


class Swept(NamedTuple):
    """One dead run that was taken away."""

    run: str
    processes: int
    """So many of it were still alive."""


def sweep(base: str) -> list[Swept]:
    """Take away all dead runs below ``base``."""
    with rundir.held(base):
        dead = [entry for entry in _runs(base) if not rundir.is_alive(entry)]
        found = [Swept(os.path.basename(path), kill_descendants(path)) for path in dead]
        for path in dead:
            rundir.remove_tree(path)
    return found


def kill_descendants(run: str) -> int:
    """Kill every process that belongs to the run at ``run``, except ourselves; how many there were."""
    mark = os.fsencode(f"{VARIABLE}={run}")
    count = 0
    for pid in _pids():
        if pid != os.getpid() and mark in _environment(pid) and _kill(pid):
            count += 1
    return count


def _runs(base: str) -> list[str]:
    with os.scandir(base) as entries:
        return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _environment(pid: int) -> list[bytes]:
    """What ``pid`` was started with; nothing for a process that has gone or is not ours to read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True
