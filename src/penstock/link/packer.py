"""What is said to one receiver of another host, packed as was agreed with it, or as pays."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Callable, Deque, List, NamedTuple, Sequence, Tuple

from penstock.link.thrift import Thrift
from penstock.message import packing

HEAVY = 1 << 16
"""Bytes of a message from which on it says something of the line: what is less mostly waits for the way."""


class Word(NamedTuple):
    """What is said, as it travels."""

    frames: Sequence[Any]
    packing: str = ""
    sizes: Sequence[int] = ()
    """What they have unpacked; see ``head``."""


class Packer:
    """Packs each message in the one way that there is."""

    def __init__(self, way: str) -> None:
        self._way = way

    def pack(self, frames: Sequence[Any]) -> Word:
        """A message as it is to travel."""
        return self._packed(self._way, frames)

    def said(self, number: int, word: Word) -> None:
        """It goes out under that number."""

    def heard(self, number: int) -> None:
        """All up to that one have come."""

    def resume(self) -> None:
        """There is a new connection: what is on its way goes once more."""

    def _packed(self, way: str, frames: Sequence[Any]) -> Word:
        packed, sizes = packing.pack(way, frames)
        return Word(packed, way, sizes) if any(sizes) else Word(frames)


class ThriftyPacker(Packer):
    """Packs where it pays."""

    def __init__(self, ways: Sequence[str], clock: Callable[[], float] = time.perf_counter) -> None:
        self.thrift = Thrift(ways)
        self._clock = clock
        self._under_way: Deque[Tuple[int, int, float]] = deque()
        """The messages that say something of the line: number, bytes and since when."""
        self._free = 0.0
        """Since when the line had nothing of what came before."""

    def pack(self, frames: Sequence[Any]) -> Word:
        """A message as it is to travel."""
        size = _size(frames)
        way = self.thrift.choose() if size >= HEAVY else ""
        if not way:
            return Word(frames)
        began = self._clock()
        word = self._packed(way, frames)
        self.thrift.packed(way, size, _size(word.frames), self._clock() - began)
        return word

    def said(self, number: int, word: Word) -> None:
        """It goes out under that number."""
        size = _size(word.frames)
        if size >= HEAVY:
            self._under_way.append((number, size, self._clock()))

    def heard(self, number: int) -> None:
        """All up to that one have come; it waited for those before it to be through."""
        now, size, since = self._clock(), 0, 0.0
        while self._under_way and self._under_way[0][0] <= number:
            _, nbytes, said = self._under_way.popleft()
            since = since if size else said
            size += nbytes
        if size:
            self.thrift.travelled(size, max(1e-9, now - max(since, self._free)))
            self._free = now

    def resume(self) -> None:
        """There is a new connection: how long these were on their way says nothing of the line."""
        self._under_way.clear()


def agreed(wish: str, ways: List[str]) -> Packer:
    """What packs as was wished, in one of the ways that both ends have."""
    return ThriftyPacker(ways) if wish == packing.AUTO else Packer(ways[0])


def _size(frames: Sequence[Any]) -> int:
    return sum(map(packing.nbytes, frames))
