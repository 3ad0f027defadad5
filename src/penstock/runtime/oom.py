"""Runs in the supervisor: has the kernel killed somebody for want of memory since we last looked?

A SIGKILL does not say who sent it. But the kernel counts its out-of-memory kills, per control group and per
machine, before the process dies; if a count has grown when one of ours dies by a SIGKILL that we did not
send, that was it.
"""

from __future__ import annotations

import os
import re

VMSTAT = "/proc/vmstat"
_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


class OomWatch:
    """The kernel's counts."""

    def __init__(self, files: list[str] | None = None) -> None:
        """Watch ``files``, each with a line ``oom_kill <count>``; by default those that exist here."""
        self._files = _files() if files is None else files
        self._count = self._read()

    def grown(self) -> bool:
        """Whether there were kills since this was last asked."""
        before, self._count = self._count, self._read()
        return self._count > before

    def _read(self) -> int:
        return sum(map(_count, self._files))


def _count(path: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            found = _COUNT.search(file.read())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _files() -> list[str]:
    """Ours of cgroup v2 or v1, and the machine's: in a container the latter may be hidden, or the former."""
    found = [VMSTAT]
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return found
    for _, controllers, path in lines:
        if not controllers:
            found.append(f"/sys/fs/cgroup{path}/memory.events")
        elif "memory" in controllers.split(","):
            found.append(f"/sys/fs/cgroup/memory{path}/memory.oom_control")
    return [path for path in found if os.path.exists(path)]
