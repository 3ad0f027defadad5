"""Runs in the supervisor: has the kernel killed somebody for want of memory since we last looked?

A SIGKILL does not say who sent it. But the kernel counts its out-of-memory kills before the process dies: in
the control group of the process, even when it was the machine that had no memory left, and for the machine.
If the count of our group has grown when one of ours dies by a SIGKILL that we did not send, that was it. The
machine's has everybody's in it: it is asked only where there is no other.
"""

from __future__ import annotations

import os
import re

VMSTAT = "/proc/vmstat"
CGROUPS = "/proc/self/cgroup"
ROOT = "/sys/fs/cgroup"
_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


class OomWatch:
    """The kernel's count."""

    def __init__(self, file: str | None = None) -> None:
        """Watch ``file``, with a line ``oom_kill <count>``; by default that of our control group."""
        self._file = counter() if file is None else file
        self._count = self._read()

    def grown(self) -> bool:
        """Whether there were kills since this was last asked."""
        before, self._count = self._count, self._read()
        return self._count > before

    def _read(self) -> int:
        return _count(self._file) or 0


def counter(*, cgroups: str = CGROUPS, root: str = ROOT) -> str:
    """The file that counts the kills nearest to us. ``cgroups``: which control groups we are in. ``root``:
    where they are mounted."""
    return next((path for path in _candidates(cgroups, root) if _count(path) is not None), VMSTAT)


def _candidates(cgroups: str, root: str) -> list[str]:
    """Where our group's count may be, of cgroup v1 or v2. A container may see its own group as the root, and
    be told its path outside."""
    found: list[str] = []
    for controllers, path in _memory_groups(cgroups):
        names = ("memory", "memory.oom_control") if controllers else ("", "memory.events")
        found += [os.path.join(root, names[0], each, names[1]) for each in (path.strip("/"), "")]
    return found


def _memory_groups(cgroups: str) -> list[tuple[str, str]]:
    """The controllers (none: version 2) and the path of each group that accounts for memory."""
    try:
        with open(cgroups, encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return []
    groups = [(controllers, path) for _, controllers, path in lines]
    return [each for each in groups if not each[0] or "memory" in each[0].split(",")]


def _count(path: str) -> int | None:
    """None: it is not there, or counts no kills."""
    try:
        with open(path, encoding="ascii") as file:
            found = _COUNT.search(file.read())
    except OSError:
        return None
    return int(found[1]) if found else None
