"""Memory in which the large parts of a call travel: a file without a name, whose descriptor goes along.

A caller lends one with a call, and gets it back with the answer, whose large parts come in the same. Both
sides copy. Memory that is used again costs a tenth of what fresh memory does, which the kernel has to find,
clear and map; so two copies through a crate that is warm take less time than one into a mapping that is made
for it. And as nobody maps it, nobody dies (SIGBUS) when another cuts it short, nobody has to say when he has
looked enough, and there is nothing to sweep: the kernel frees it with the last descriptor, whoever is killed.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections import deque
from typing import Any, Deque, List, Sequence

from penstock.errors import PeerError

MOST = 1 << 33
"""Bytes in one."""
KEPT = 8
"""Crates that a process keeps for its next calls."""
KEPT_BYTES = 256 * 1024 * 1024
"""In all of them."""


class Crate:
    """One. Dropped, it lets go of its descriptor."""

    __slots__ = ("fd", "size")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.size = 0
        """Bytes that it has held at most, as far as we know."""

    def __del__(self, close: Any = os.close) -> None:
        close(self.fd)

    def load(self, parts: Sequence[Any]) -> List[int]:
        """Write them from the beginning; their sizes.

        Raises:
            OSError: there is no room.
        """
        sizes: List[int] = []
        at = 0
        for part in parts:
            view = memoryview(part).cast("B")
            sizes.append(len(view))
            while view:
                done = os.pwrite(self.fd, view, at)
                view, at = view[done:], at + done
        self.size = max(self.size, at)
        return sizes

    def unload(self, sizes: Sequence[int]) -> List[Any]:
        """The parts of those sizes.

        Raises:
            PeerError: they are not there.
        """
        self._check(sizes)
        parts: List[Any] = []
        at = 0
        for size in sizes:
            parts.append(self._read(size, at))
            at += size
        return parts

    def _check(self, sizes: Sequence[int]) -> None:
        """Refuse to read what is no memory, as that may take for ever, or a size that is not there."""
        try:
            fcntl.fcntl(self.fd, _GET_SEALS)
        except OSError:
            raise PeerError("the descriptor of something that is no memory") from None
        self.size = os.fstat(self.fd).st_size
        if min(sizes, default=0) < 0 or sum(sizes) > min(self.size, MOST):
            raise PeerError(f"a crate of {self.size} bytes does not hold what its sender says")

    def _read(self, size: int, at: int) -> Any:
        part = _room(size)
        view = memoryview(part)
        while view:
            done = os.preadv(self.fd, [view], at)
            if not done:
                raise PeerError("a crate was cut short while it was read")
            view, at = view[done:], at + done
        return part


_GET_SEALS = getattr(fcntl, "F_GET_SEALS", 1034)
"""Answered by files in memory alone. (By number where Python was built on an older system.)"""


def _room(size: int) -> Any:
    """Memory to read into. (That of a bytearray would be cleared first.)"""
    numpy = sys.modules.get("numpy")
    return bytearray(size) if numpy is None else numpy.empty(size, numpy.uint8)


def made() -> Crate:
    """A new one.

    Raises:
        OSError: there can be none.
    """
    try:
        return Crate(os.memfd_create("penstock"))
    except AttributeError:  # this Python was built for older systems than it runs on
        return Crate(os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))  # noqa: S108  in it, no file of that name


class Stock:
    """Crates that wait for the next calls of this process."""

    def __init__(self) -> None:
        self._crates: Deque[Crate] = deque()
        os.register_at_fork(after_in_child=self._crates.clear)  # two processes would write in one

    def take(self) -> Crate:
        """One of them, the last that was used; else a new one.

        Raises:
            OSError: there can be none.
        """
        try:
            return self._crates.pop()
        except IndexError:
            return made()

    def give(self, crate: Crate) -> None:
        """It is used no more, by anybody."""
        self._crates.append(crate)
        while len(self._crates) > KEPT or sum(each.size for each in list(self._crates)) > KEPT_BYTES:
            self._crates.popleft()


stock = Stock()
"""Of this process."""
