"""What user code has made and the link has not yet sent.

One thread puts (the main thread, in the middle of user code, without a lock), one at a time takes
(whoever holds the worker's lock: the main thread or the steward). That is safe without another lock,
because each side writes its own counters and each list operation is atomic under the GIL: the putter
only ever appends to the last segment and adds segments behind it; the taker only removes from the front
of lists, and never removes the last segment.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Deque, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from penstock.link.ledger import Cargo, Run
from penstock.message.flat import Flat

Feed = Callable[[Iterator[Any]], bool]
"""Takes values from a source until it is time to look at the sockets: then True; False at its end."""
Put = Callable[[Any, Any, str, int], bool]
"""Takes a value, its parent, its origin and its number; answers whether it is time to look at the sockets."""

HEAVY = 1 << 14
"""Payloads of more bytes are counted one by one. Of smaller ones only the number is bounded, which is enough:
the largest backlog (see ``batching.MOST``) of them is 64 MiB."""


class Extras(NamedTuple):
    """What an item has beside its payload."""

    slots: Sequence[Any]
    frames: Sequence[Any]
    nbytes: int


class _Segment:
    """Items with consecutive ids of one origin, made from one parent; or one heavy item."""

    __slots__ = ("extras", "first", "origin", "parent", "payloads", "weight")

    def __init__(self, parent: Any, origin: str, first: int, extras: Optional[Extras]) -> None:
        self.parent = parent
        self.origin = origin
        self.first = first
        self.payloads: List[bytes] = []
        self.extras = extras
        self.weight = 0
        """Bytes, if it is one heavy item."""


class Outbox:
    """A queue of encoded items that keeps neighbours together."""

    def __init__(self) -> None:
        self.alarm = 0
        """``put`` says True from this item on (counted over the outbox's whole life)."""
        self.heavy_limit = 1 << 25
        """``put`` says True when so many bytes of heavy items are in it."""
        self._segments: Deque[_Segment] = deque()
        self._parent: Any = self  # nobody's parent, so the next item opens a segment
        self._origin = ""
        self._next = -1
        nowhere: List[bytes] = []  # until the first item opens a segment
        self._append: Callable[[bytes], None] = nowhere.append
        self._put = 0
        self._taken = 0
        self._heavy_put = 0
        self._heavy_taken = 0

    @property
    def waiting(self) -> int:
        """Items in it. (One that was taken the moment it was put may not have been counted yet.)"""
        return max(0, self._put - self._taken)

    @property
    def made(self) -> int:
        """Items that were ever put."""
        return self._put

    @property
    def heavy(self) -> int:
        """Bytes of heavy items in it: those with large arrays, and those that are large themselves."""
        return self._heavy_put - self._heavy_taken

    def ring(self, more: int, at_most: int) -> None:
        """Have ``put`` say True when ``more`` items wait, or ``at_most`` items from now."""
        self.alarm = min(self._taken + more, self._put + at_most)

    def put(
        self, parent: Any, origin: str, number: int, payload: bytes, extras: Optional[Extras] = None
    ) -> bool:
        """Add the item ``origin:number``, made from ``parent``; whether it is time to look at the sockets."""
        if (
            number != self._next
            or parent is not self._parent
            or origin is not self._origin
            or extras is not None
            or len(payload) > HEAVY
        ):
            self._open(parent, origin, number, payload, extras)
        self._append(payload)
        self._next = number + 1
        self._put = put = self._put + 1
        return put >= self.alarm

    def feeder(self, origin: str, *, flat: Flat, slow: Put) -> Feed:
        """The hot path of a source with one link: look, encode, put and count in one loop.

        (As separate functions that took 0.9 us an item, of which 0.35 was going from one to the next.)
        ``slow`` takes a value that is not flat. What the source emits beside these may be put in between:
        then the parent of the last segment is another, and what is known here is asked for anew.
        """
        fed = object()  # while this is the parent of the last segment, the next item may simply be appended

        def feed(values: Iterator[Any]) -> bool:
            alike, append, made, heavy = flat.alike, self._append, self._put, HEAVY
            for value in values:
                try:
                    payload = alike(value)
                except (KeyError, OverflowError, UnicodeEncodeError):
                    payload = None
                if payload is None:
                    if value is None:
                        continue
                    payload = flat.encode(value)
                    alike = flat.alike
                if payload is not None and self._parent is fed and len(payload) <= heavy:
                    append(payload)
                    self._put = made = made + 1
                    if made >= self.alarm:
                        return True
                    continue
                if payload is None:
                    alarm = slow(value, None, origin, self._put)
                else:
                    alarm = self.put(None, origin, self._put, payload)
                    self._parent = fed if len(payload) <= heavy else self
                append, made = self._append, self._put
                if alarm:
                    return True
            return False

        return feed

    def _open(self, parent: Any, origin: str, number: int, payload: bytes, extras: Optional[Extras]) -> None:
        """Begin a segment. A heavy item has one of its own: beside its bytes that costs nothing."""
        segment = _Segment(parent, origin, number, extras)
        self._append, self._origin = segment.payloads.append, origin
        self._parent = parent
        if extras is not None or len(payload) > HEAVY:
            segment.weight = len(payload) + (extras.nbytes if extras is not None else 0)
            self._parent = self  # the next item opens another
            self._heavy_put += segment.weight
            if self.heavy >= self.heavy_limit:
                self.alarm = 0
        self._segments.append(segment)

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
            count, size = _fitting(segment, items - len(payloads), nbytes - total, some=bool(payloads))
            if not count:
                break
            payloads += segment.payloads[:count]
            self._heavy_taken += segment.weight
            if segment.extras is not None:
                extras.append(segment.extras)
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

    def lone(self) -> Optional[_Segment]:
        """The segment of the one item that waits; None: none waits, or several, or a heavy one."""
        if self._put - self._taken != 1 or len(self._segments) != 1:
            return None
        segment = self._segments[0]
        return None if segment.weight else segment

    def _front(self) -> _Segment:
        """The first segment that has items; empty ones before it are done with."""
        while not self._segments[0].payloads and len(self._segments) > 1:
            self._segments.popleft()
        return self._segments[0]


def _fitting(segment: _Segment, items: int, nbytes: int, *, some: bool) -> Tuple[int, int]:
    """How many items of the front of ``segment`` fit, and their bytes. One item always fits a batch that
    has not ``some``; one with frames only such."""
    if segment.extras is not None:
        size = segment.extras.nbytes + len(segment.payloads[0])
        return (0, 0) if some and (segment.extras.frames or size > nbytes) else (1, size)
    sizes = list(map(len, segment.payloads[:items]))
    total = sum(sizes)
    while total > nbytes and len(sizes) > (0 if some else 1):
        total -= sizes.pop()
    return len(sizes), total
