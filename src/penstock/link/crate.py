"""Memory in which the large parts of a call travel: a file without a name, whose descriptor goes along.

A caller lends one with a call, and gets it back with the answer, whose large parts come in the same. Both
sides keep it mapped for the next call, and copy: in there, out here. What is in memory that was used before
costs a copy, 25 us a megabyte; fresh memory costs ten times that, as the kernel has to find, clear and map
it. And as nobody looks at what is in a crate once it is copied out, nobody has to say when he has looked
enough, and there is nothing to sweep: the kernel frees it with the last descriptor, whoever is killed. It can
grow, but is sealed against being cut short, so nobody dies (SIGBUS) of what another does with it.

    byte 0        64
    +-------------+------------------------------------------+
    | token       | the parts, one behind the other          |
    +-------------+------------------------------------------+

By its token who has mapped it before knows it again.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import sys
import weakref
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Sequence

from penstock.errors import PeerError

FIRST = 64
"""Where the parts begin."""
TOKEN = 16
"""Bytes of the token, which are random."""
MOST = 1 << 33
"""Bytes in one."""
KEPT = 8
"""Crates that a process keeps for its next calls."""
KEPT_BYTES = 128 * 1024 * 1024
"""In all of them; and as much of what they are copied into."""

# By number where Python was built on an older system than it runs on.
_ADD_SEALS, _GET_SEALS = getattr(fcntl, "F_ADD_SEALS", 1033), getattr(fcntl, "F_GET_SEALS", 1034)
_SHRINK = getattr(fcntl, "F_SEAL_SHRINK", 2)
_CLOEXEC_AND_SEALS = 3


class Crate:
    """One. Dropped, it lets go of all."""

    __slots__ = ("_map", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map: Any = b""

    def __del__(self, close: Any = os.close) -> None:
        close(self.fd)

    @property
    def size(self) -> int:
        """Bytes that are mapped."""
        return len(self._map)

    def token(self) -> bytes:
        """What no other has; of a stranger's, anything.

        Raises:
            PeerError: it is no crate. (To read what it is may take for ever.)
        """
        try:
            if fcntl.fcntl(self.fd, _GET_SEALS) & _SHRINK:
                return os.pread(self.fd, TOKEN, 0)
        except OSError:
            pass
        raise PeerError("the descriptor of something that is no crate")

    def load(self, parts: Sequence[Any]) -> List[int]:
        """Write them; their sizes.

        Raises:
            OSError: there is no room.
        """
        if not parts:
            return []
        views = [memoryview(part).cast("B") for part in parts]
        sizes = [len(view) for view in views]
        end = FIRST + sum(sizes)
        if end > len(self._map):
            if end > os.fstat(self.fd).st_size:
                os.posix_fallocate(self.fd, 0, end)  # else to write there may be the end of us
            self._map = mmap.mmap(self.fd, end)
        at, whole = FIRST, memoryview(self._map)
        for view in views:
            whole[at : at + len(view)] = view
            at += len(view)
        return sizes

    def unload(self, sizes: Sequence[int]) -> List[Any]:
        """Copies of the parts of those sizes.

        Raises:
            PeerError: they are not there, or not to be had.
        """
        if not sizes:
            return []
        end = FIRST + sum(sizes)
        if min(sizes) < 0 or end > MOST:
            raise PeerError("not the sizes of what is in a crate")
        if end > len(self._map):
            self.token()
            if end > os.fstat(self.fd).st_size:
                raise PeerError("a crate does not hold what its sender says")
            try:
                self._map = mmap.mmap(self.fd, end)
            except OSError as error:  # it is sealed, or there are no descriptors
                raise PeerError(f"a crate cannot be mapped: {error}") from None
        parts: List[Any] = []
        at, whole = FIRST, memoryview(self._map)
        for size in sizes:
            part = rooms.take(size)
            memoryview(part)[:] = whole[at : at + size]
            parts.append(part)
            at += size
        return parts


class Rooms:
    """Memory that crates are copied into, used again when nobody looks at it any more: it is warm, too."""

    def __init__(self) -> None:
        self._free: Deque[bytearray] = deque()
        self._lent: Dict[int, Any] = {}

    def take(self, size: int) -> Any:
        """As many bytes."""
        numpy = sys.modules.get("numpy")
        if numpy is None or not size:
            return bytearray(size)
        whole = self._fit(size) or bytearray(size)
        # A view of this array has it as its base, and so has a view of that view: were the memory an array,
        # too, NumPy would have all of them look at that, and this one be gone at once.
        room = numpy.frombuffer(whole, numpy.uint8, size)
        key = id(room)
        self._lent[key] = weakref.ref(room, lambda _: self._give_back(key, whole))
        return room

    def _fit(self, size: int) -> Optional[bytearray]:
        for _ in range(len(self._free)):
            try:
                whole = self._free.popleft()
            except IndexError:  # another thread has it
                return None
            if size <= len(whole) <= 2 * size:
                return whole
            self._free.append(whole)
        return None

    def _give_back(self, key: int, whole: bytearray) -> None:
        # May run inside any of our own methods, in any thread.
        del self._lent[key]
        self._free.append(whole)
        try:
            while sum([len(each) for each in self._free]) > KEPT_BYTES:
                self._free.popleft()
        except (IndexError, RuntimeError):
            pass  # another thread is at it


rooms = Rooms()
"""Of this process."""


def made() -> Crate:
    """A new one.

    Raises:
        OSError: there can be none.
    """
    crate = Crate(_memory())
    os.pwrite(crate.fd, os.urandom(TOKEN), 0)
    fcntl.fcntl(crate.fd, _ADD_SEALS, _SHRINK)
    return crate


def _memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("penstock", _CLOEXEC_AND_SEALS)
    import ctypes  # this Python was built on an older system than it runs on

    fd: int = ctypes.CDLL(None, use_errno=True).memfd_create(b"penstock", _CLOEXEC_AND_SEALS)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


class Stock:
    """Crates that wait for the next calls of this process."""

    def __init__(self) -> None:
        self._crates: Deque[Crate] = deque()
        os.register_at_fork(after_in_child=self._crates.clear)  # two processes would write in one

    def idle(self) -> Optional[Crate]:
        """One of them, the last that was used; None: there is none."""
        try:
            return self._crates.pop()
        except IndexError:
            return None

    def take(self) -> Crate:
        """The same, or a new one.

        Raises:
            OSError: there can be none.
        """
        return self.idle() or made()

    def give(self, crate: Crate) -> None:
        """It is used no more, by anybody."""
        self._crates.append(crate)
        with contextlib.suppress(IndexError):  # another thread has it
            while len(self._crates) > KEPT or sum(each.size for each in list(self._crates)) > KEPT_BYTES:
                self._crates.popleft()


stock = Stock()
"""Of this process."""
