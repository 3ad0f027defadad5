"""What user code has made and the link has not yet sent.

One thread puts (the main thread, in the middle of user code, without a lock), one at a time takes
(whoever holds the worker's lock: the main thread or the steward). That is safe without another lock,
because each side writes its own counters and each list operation is atomic under the GIL: the putter
only ever appends to the last segment and adds segments behind it; the taker only removes from the front
of lists, and never removes the last segment.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, List, NamedTuple, Optional, Sequence, Tuple

from penstock.link.ledger import Cargo, Run


class Extras(NamedTuple):
    """What an item has beside its payload."""

    slots: Sequence[Any]
    frames: Sequence[Any]
    nbytes: int


class _Segment:
    """Items with consecutive ids of one origin, made from one parent."""

    __slots__ = ("extras", "first", "origin", "parent", "payloads")

    def __init__(self, parent: Any, origin: str, first: int, extras: Optional[List[Extras]]) -> None:
        self.parent = parent
        self.origin = origin
        self.first = first
        self.payloads: List[bytes] = []
        self.extras = extras


class Outbox:
    """A queue of encoded items that keeps neighbours together."""

    def __init__(self) -> None:
        self._segments: Deque[_Segment] = deque()
        self._tail: Optional[_Segment] = None
        self._next = -1
        self._put = 0
        self._taken = 0
        self._heavy_put = 0
        self._heavy_taken = 0

    @property
    def waiting(self) -> int:
        """Items in it."""
        return self._put - self._taken

    @property
    def heavy(self) -> int:
        """Bytes of large arrays in it."""
        return self._heavy_put - self._heavy_taken

    def put(self, parent: Any, origin: str, number: int, payload: bytes, extras: Optional[Extras] = None) -> None:
        """Add the item ``origin:number``, made from ``parent``."""
        tail = self._tail
        if (
            tail is None
            or number != self._next
            or tail.parent is not parent
            or (extras is None) is not (tail.extras is None)
            or tail.origin != origin
        ):
            tail = _Segment(parent, origin, number, None if extras is None else [])
            self._tail = tail
            self._segments.append(tail)
        if extras is not None and tail.extras is not None:
            tail.extras.append(extras)  # before the payload: the taker counts payloads
            self._heavy_put += extras.nbytes
        tail.payloads.append(payload)
        self._next = number + 1
        self._put += 1

    def take(self, items: int, nbytes: int) -> Cargo:
        """The next batch: at most ``items`` and ``nbytes``, but at least one item.

        Raises:
            IndexError: nothing waits.
        """
        payloads: List[bytes] = []
        runs: List[Run] = []
        extras: List[Extras] = []
        heavy = False
        total = 0
        while len(payloads) < items and self._taken < self._put:
            segment = self._front()
            if payloads and heavy is not (segment.extras is not None):
                break
            heavy = segment.extras is not None
            count, size = _fitting(segment, items - len(payloads), nbytes - total, bool(payloads))
            if not count:
                break
            payloads += segment.payloads[:count]
            if segment.extras is not None:
                extras += segment.extras[:count]
                self._heavy_taken += sum(extra.nbytes for extra in segment.extras[:count])
                del segment.extras[:count]
            runs.append(Run(segment.parent, segment.origin, segment.first, count))
            del segment.payloads[:count]
            segment.first += count
            self._taken += count
            total += size
            if extras and extras[-1].frames:
                break
        if not payloads:
            raise IndexError("nothing waits")
        return Cargo(
            payloads,
            runs,
            nbytes=total,
            slots=[extra.slots for extra in extras] if heavy else None,
            frames=extras[0].frames if heavy else (),
        )

    def _front(self) -> _Segment:
        """The first segment that has items; empty ones before it are done with."""
        while not self._segments[0].payloads and len(self._segments) > 1:
            self._segments.popleft()
        return self._segments[0]


def _fitting(segment: _Segment, items: int, nbytes: int, some: bool) -> Tuple[int, int]:
    """How many items of the front of ``segment`` fit, and their bytes. One item always fits an empty
    batch; one with frames only that."""
    if segment.extras is None:
        part = segment.payloads[:items]
        total = sum(map(len, part))
        if total <= nbytes:
            return len(part), total
        sizes = list(map(len, part))
    else:
        sizes = [extra.nbytes + len(payload) for extra, payload in zip(segment.extras[:items], segment.payloads)]
    count = total = 0
    for size in sizes:
        framed = segment.extras is not None and bool(segment.extras[count].frames)
        alone = not count and not some
        if not alone and (framed or total + size > nbytes):
            break
        count += 1
        total += size
        if framed:
            break
    return count, total
