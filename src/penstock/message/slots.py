"""Which bytes of an arena are free: a buddy allocator that only counts (no memory, no files).

Blocks are powers of two, so a block of any size becomes one of any other by splitting and by merging
with its buddy: a workload whose array sizes change cannot cut the arena into useless pieces. Waste is
of addresses only: of a 32 MiB block that holds 19 MB just the 19 MB are ever backed by memory.

Freed blocks are kept apart by size and handed out last in, first out (the one whose pages are most
likely still in the cache); they are merged only when a larger one is wanted and missing, because a
pipeline asks for the same few sizes over and over.
"""

from __future__ import annotations

from typing import Dict, Iterator, List, Optional, Tuple

SMALLEST = 1 << 17
"""128 KiB: the smallest array that comes here has 64 KiB, and its slot has a header."""


class Slots:
    """Blocks of the address range ``0 .. capacity``, a multiple of ``SMALLEST``."""

    def __init__(self, capacity: int) -> None:
        self._free: Dict[int, List[int]] = {}
        self._taken: Dict[int, int] = {}
        at = 0
        for size in _powers(capacity):
            self._free.setdefault(size, []).append(at)
            at += size
        self.capacity = at
        self.used = 0
        """Bytes in blocks that are taken."""

    def take(self, nbytes: int) -> Optional[int]:
        """The offset of a block of at least ``nbytes``, or None when there is none."""
        size = _rounded(nbytes)
        offset = self._pop(size)
        if offset is None and self._merge():
            offset = self._pop(size)
        if offset is not None:
            self._taken[offset] = size
            self.used += size
        return offset

    def give(self, offset: int) -> None:
        """Free the block at ``offset``.

        Raises:
            KeyError: none is taken there.
        """
        size = self._taken.pop(offset)
        self.used -= size
        self._free.setdefault(size, []).append(offset)

    def free(self) -> Iterator[Tuple[int, int]]:
        """Every free block: ``(offset, size)``."""
        for size, offsets in self._free.items():
            for offset in offsets:
                yield offset, size

    def _pop(self, size: int) -> Optional[int]:
        """A free block of ``size``; split from the next larger one there is."""
        have = size
        while not self._free.get(have):
            have *= 2
            if have > self.capacity:
                return None
        offset = self._free[have].pop()
        while have > size:
            have //= 2
            self._free.setdefault(have, []).append(offset + have)
        return offset

    def _merge(self) -> bool:
        """Join every pair of free buddies, small ones first; whether any was found."""
        found = False
        for smallest in sorted(self._free):
            size = smallest
            while size <= self.capacity // 2:
                offsets = set(self._free.get(size, ()))
                pairs = [low for low in offsets if not low & size and low + size in offsets]
                if not pairs:
                    break
                found = True
                joined = {half for low in pairs for half in (low, low + size)}
                self._free[size] = [offset for offset in self._free[size] if offset not in joined]
                self._free.setdefault(size * 2, []).extend(pairs)
                size *= 2
        return found


def _rounded(nbytes: int) -> int:
    return max(SMALLEST, 1 << (nbytes - 1).bit_length())


def _powers(capacity: int) -> Iterator[int]:
    """The powers of two, largest first, that make up ``capacity``: each is then aligned to its size."""
    capacity -= capacity % SMALLEST
    while capacity:
        size = 1 << (capacity.bit_length() - 1)
        yield size
        capacity -= size
