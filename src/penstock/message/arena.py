"""Shared memory for arrays: one file per worker, written by it alone, read by whoever has a descriptor.

    file    | slot | slot |  free  |   slot    | ...          sparse; blocks are reserved before use
    slot    | generation u64 | size u64 | 48 bytes of nothing | data ...                 64-byte header

* A slot is published by *sending* its descriptor over a socket, never by a flag in memory: the system
  call orders the writes before it on every CPU (Python has no fences; vLLM's ring hung on ARM without).
* Its generation, in the header and in the descriptor, tells a reader that a slot was given away
  meanwhile. Offset and size are checked against the header before a view is built.
* Blocks are reserved with ``posix_fallocate`` before they are written: a full /dev/shm is an error we
  see (and answer by sending through the socket), not a SIGBUS (python/cpython#114390).
* It is not ``multiprocessing.shared_memory``: before 3.13 the exit of a reader unlinks the writer's
  segment (python/cpython#82300).
* A slot is free when nobody counts on it: neither the ledger (unsettled), nor a view in any process
  that received it, nor the producer's own array.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
import threading
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Tuple

from penstock.errors import PeerError
from penstock.message.slots import SMALLEST, Slots

HEADER = 64
_HEAD = struct.Struct("<QQ")


class Slot:
    """A piece of the arena that holds one array, and who counts on it."""

    __slots__ = ("generation", "holders", "offset", "own", "size")

    def __init__(self, offset: int, size: int, generation: int) -> None:
        self.offset = offset
        """Of the data, behind the header."""
        self.size = size
        self.generation = generation
        self.own = 1
        """Counts inside this process: unsettled items, and the producer's array."""
        self.holders: List[int] = []
        """Receivers with a view, one entry for each."""


class Arena:
    """The writing side. Its methods may be called from any thread."""

    def __init__(self, path: str, capacity: int) -> None:
        """Make the file, sparse, ``capacity`` bytes long (0: an arena that never has room).

        Raises:
            OSError: it cannot be made.
        """
        self.path = path if capacity else ""
        self._slots = Slots(capacity)
        self._live: Dict[int, Slot] = {}
        self._lock = threading.Lock()
        self._generation = 0
        self._reserved: Dict[int, int] = {}
        self._dropped: Deque[Slot] = deque()
        self._fd = -1
        self.map: Any = b""
        if self._slots.capacity:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._fd, self._slots.capacity)
            self.map = mmap.mmap(self._fd, self._slots.capacity)

    @property
    def used(self) -> int:
        """Bytes in slots that are not free."""
        return self._slots.used

    def take(self, size: int) -> Optional[Slot]:
        """A slot for ``size`` bytes, counted once for the caller; None when there is no room."""
        with self._lock:
            self._collect()
            block = self._slots.take(size + HEADER)
            if block is None:
                return None
            if not self._reserve(block, size + HEADER):
                self._slots.give(block)
                return None
            self._generation += 1
            slot = Slot(block + HEADER, size, self._generation)
            _HEAD.pack_into(self.map, block, slot.generation, size)
            self._live[slot.offset] = slot
            return slot

    def keep(self, slot: Slot) -> None:
        """Count on ``slot`` once more."""
        with self._lock:
            slot.own += 1

    def drop(self, slot: Slot) -> None:
        """Undo one ``take`` or ``keep``."""
        with self._lock:
            slot.own -= 1
            self._settle(slot)

    def drop_later(self, slot: Slot) -> None:
        """``drop`` for a weak reference's callback, which may run inside any of our own methods."""
        self._dropped.append(slot)

    def lend(self, slot: Slot, holder: int) -> None:
        """``holder`` is sent the descriptor: its view counts until it says RELEASE, or dies."""
        with self._lock:
            slot.holders.append(holder)

    def returned(self, holder: int, offset: int, generation: int) -> None:
        """``holder`` released a view. One that was never lent is ignored: the peer is confused, not we."""
        with self._lock:
            slot = self._live.get(offset)
            if slot is not None and slot.generation == generation and holder in slot.holders:
                slot.holders.remove(holder)
                self._settle(slot)

    def forget(self, holder: int) -> None:
        """``holder`` is dead, and with it its views."""
        with self._lock:
            for slot in list(self._live.values()):
                if holder in slot.holders:
                    slot.holders = [other for other in slot.holders if other != holder]
                    self._settle(slot)

    def held(self) -> Dict[int, int]:
        """Bytes that only a receiver's views keep from being free, by receiver."""
        with self._lock:
            self._collect()
            found: Dict[int, int] = {}
            for slot in self._live.values():
                if not slot.own:
                    for holder in set(slot.holders):
                        found[holder] = found.get(holder, 0) + slot.size
            return found

    def close(self) -> None:
        """Unlink the file; who has it mapped keeps what it sees. Twice is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                pass  # swept already

    def _settle(self, slot: Slot) -> None:
        if not slot.own and not slot.holders:
            del self._live[slot.offset]
            self._slots.give(slot.offset - HEADER)

    def _collect(self) -> None:
        while self._dropped:
            slot = self._dropped.popleft()
            slot.own -= 1
            self._settle(slot)

    def _reserve(self, block: int, size: int) -> bool:
        """Back ``block`` with memory; when there is none, let go of what free blocks still have."""
        if self._reserved.get(block, 0) >= size:
            return True
        if not self._allocate(block, size):
            self._let_go()
            if not self._allocate(block, size):
                return False
        self._reserved[block] = size
        return True

    def _allocate(self, block: int, size: int) -> bool:
        try:
            os.posix_fallocate(self._fd, block, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM, errno.EDQUOT):
                return False
            raise
        return True

    def _let_go(self) -> None:
        for offset, size in self._slots.free():
            self.map.madvise(mmap.MADV_REMOVE, offset, size)
        self._reserved = {offset - HEADER: self._reserved[offset - HEADER] for offset in self._live}


class Mapping:
    """The reading side: a peer's arena, mapped once, read-only."""

    def __init__(self, path: str) -> None:
        """Map the arena at ``path``.

        Raises:
            OSError: it is gone: the peer has ended.
        """
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.map = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
        finally:
            os.close(fd)

    def check(self, offset: int, generation: int, size: int) -> None:
        """Whether a descriptor tells the truth.

        Raises:
            PeerError: the slot is outside the arena, shorter than that, or has been given away.
        """
        if not HEADER <= offset <= len(self.map) - size:
            raise PeerError(f"a slot at {offset} of {size} bytes lies outside its arena of {len(self.map)}")
        if (offset - HEADER) % SMALLEST:
            raise PeerError(f"no slot begins at {offset}")
        found = slot_header(self.map, offset)
        if found[0] != generation or not generation or found[1] < size:
            raise PeerError(
                f"the slot at {offset} is of generation {found[0]}, not {generation}: it was given away"
            )


def slot_header(buffer: Any, offset: int) -> Tuple[int, int]:
    """Generation and size of the slot whose data begin at ``offset``."""
    generation, size = _HEAD.unpack_from(buffer, offset - HEADER)
    return generation, size
