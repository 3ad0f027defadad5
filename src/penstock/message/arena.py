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
  that received it, nor the producer's own array. One that was passed on, or was lent to somebody who died and
  may have done that, is free when the kernel knows of no reader either: see ``lease``.
"""

from __future__ import annotations

import errno
import functools
import mmap
import os
import struct
import threading
import weakref
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Set, Tuple

from penstock.errors import PeerError
from penstock.message import lease
from penstock.message.slots import SMALLEST, Slots

HEADER = 64
_HEAD = struct.Struct("<QQ")

ASKED = 4
"""Slots that were passed on, of which the kernel is asked at each ``take`` whether they are still read."""

Address = Tuple[int, int, int]
"""Process and descriptor by which an arena can be opened, and its inode."""


class Slot:
    """A piece of the arena that holds one array, and who counts on it."""

    __slots__ = ("_arena", "generation", "holders", "offset", "own", "passer", "size")

    def __init__(self, arena: Arena, offset: int, size: int, generation: int) -> None:
        self._arena = arena
        self.offset = offset
        """Of the data, behind the header."""
        self.size = size
        self.generation = generation
        self.own = 1
        """Counts inside this process: unsettled items, and the producer's array."""
        self.holders: List[int] = []
        """Receivers with a view, one entry for each."""
        self.passer = 0
        """The receiver that has, or may have, passed it on; 0: nobody."""

    def keep(self) -> None:
        """Count on it once more."""
        self._arena.keep(self)

    def drop(self) -> None:
        """Undo one ``keep``."""
        self._arena.drop(self)

    def lend(self, holder: int) -> None:
        """``holder`` is sent its descriptor."""
        self._arena.lend(self, holder)

    def returned(self, holder: int) -> None:
        """``holder`` has no view of it."""
        self._arena.returned(holder, self.offset, self.generation)


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
        # From a number that is in no array by chance: a late reader may look for one where data are by then.
        self._generation = int.from_bytes(os.urandom(7), "little")
        self._reserved: Dict[int, int] = {}
        self._dropped: Deque[Slot] = deque()
        self._read: Deque[Slot] = deque()
        """Nobody counts on them, but somebody may look at them to whom they were passed on."""
        self.passers: Set[int] = set()
        """Receivers that have passed something on."""
        self._fd = -1
        self.map: Any = b""
        if self._slots.capacity:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._fd, self._slots.capacity)
            self.map = mmap.mmap(self._fd, self._slots.capacity)
        self._has_locks = self._fd >= 0 and lease.works(self._fd)

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
            slot = Slot(self, block + HEADER, size, self._generation)
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

    def returned(self, holder: int, offset: int, generation: int, *, passed: bool = False) -> None:
        """``holder`` released a view; ``passed``: others may have one of it. One that was never lent is
        ignored: the peer is confused, not we."""
        with self._lock:
            slot = self._live.get(offset)
            if slot is not None and slot.generation == generation and holder in slot.holders:
                slot.holders.remove(holder)
                if passed:
                    slot.passer = holder
                    self.passers.add(holder)
                self._settle(slot)

    def forget(self, holder: int) -> None:
        """``holder`` is dead, and with it its views. What it has passed on of them, nobody knows."""
        with self._lock:
            self.passers.discard(holder)
            for slot in list(self._live.values()):
                if holder in slot.holders:
                    slot.holders = [other for other in slot.holders if other != holder]
                    slot.passer = holder
                    self._settle(slot)

    def held(self) -> Dict[int, int]:
        """Bytes that only a receiver's views keep from being free, or those of whom it passed them on to, by
        receiver."""
        with self._lock:
            self._collect()
            found: Dict[int, int] = {}
            for slot in self._live.values():
                if not slot.own:
                    for holder in set(slot.holders) or {slot.passer}:
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
        if slot.own or slot.holders:
            return
        if slot.passer and not self._claim(slot):
            self._read.append(slot)
            return
        del self._live[slot.offset]
        self._slots.give(slot.offset - HEADER)

    def _claim(self, slot: Slot) -> bool:
        """Whether a slot that may have been passed on is read by nobody; from now on it will not be."""
        if self._fd < 0 or not self._has_locks:
            return True
        if not lease.claim(self._fd, slot.offset):
            return False
        _HEAD.pack_into(self.map, slot.offset - HEADER, 0, 0)
        lease.let_go(self._fd, slot.offset)
        return True

    def _collect(self) -> None:
        while self._dropped:
            slot = self._dropped.popleft()
            slot.own -= 1
            self._settle(slot)
        # Nobody tells us when a reader is through: a few are looked at each time, and the others the next.
        for _ in range(min(ASKED, len(self._read))):
            self._settle(self._read.popleft())

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
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        weakref.finalize(self, os.close, self.fd)
        self.map = mmap.mmap(self.fd, 0, prot=mmap.PROT_READ)

    @functools.cached_property
    def address(self) -> Optional[Address]:
        """By what others can open it while this is alive, also when its owner is dead and the file removed;
        None: they cannot, as this process hides its descriptors or the kernel has no ``lease``."""
        try:
            is_open = os.stat("/proc/self/fd").st_uid == os.geteuid()
        except OSError:
            return None
        if not is_open or not lease.works(self.fd):
            return None
        return os.getpid(), self.fd, os.fstat(self.fd).st_ino

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
