"""Runs in the supervisor: other supervisors of the same store, watched by the kernel for us."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable


class Neighbours:
    """Those we know of."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_end: Callable[[], None]) -> None:
        """``on_end`` is called when one of them has ended, however it did."""
        self._loop = loop
        self._on_end = on_end
        self._handles: dict[int, int] = {}
        """Their pidfds, by process id."""

    def watch(self, pids: Iterable[int]) -> None:
        """These are there."""
        for pid in pids:
            if pid not in self._handles:
                self._watch(pid)

    def close(self) -> None:
        """Watch nobody any more."""
        for pid in list(self._handles):
            self._let_go(pid)

    def _watch(self, pid: int) -> None:
        try:
            self._handles[pid] = os.pidfd_open(pid)
        except OSError:
            return  # it has ended already, which its lock tells
        self._loop.add_reader(self._handles[pid], self._ended, pid)

    def _ended(self, pid: int) -> None:
        self._let_go(pid)
        self._on_end()

    def _let_go(self, pid: int) -> None:
        handle = self._handles.pop(pid)
        self._loop.remove_reader(handle)
        os.close(handle)
