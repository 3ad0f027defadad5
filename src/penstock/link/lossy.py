"""A link that drops items where others have their maker wait: which ones, and how many may wait.

*drop_newest* refuses an item at the door (see ``door``). *drop_oldest* lets items in, and each look takes
what is too much off the front: never what is in flight, so nobody works on what is dropped. Between two
looks (2 ms of items) more may wait.

How many may wait is ``window``, where the receiving stage has one; else as many as would wait in front of a
link that blocks: the next batch, some 5 ms of a receiver's work. Behind slow work that is one item, the
freshest (or the first); where batches are large, a burst of thousands finds room.
"""

from __future__ import annotations

from typing import Any, Iterator, Optional

from penstock.link.door import Door
from penstock.link.ledger import Cargo
from penstock.link.link import Link

QUIET = 10.0
"""Seconds without a drop, after which the next one is news again."""

POLICIES = {"drop_oldest": "the oldest that wait", "drop_newest": "what comes then"}
"""What is dropped."""


class Lossy(Link):
    """A link whose maker never waits; what it drops instead is its ``surplus``."""

    def __init__(self, *, on_full: str, window: int = 0, **link: Any) -> None:
        """``window``: items that may wait; 0: the next batch."""
        self.door = Door() if on_full == "drop_newest" else None
        super().__init__(**link, outbox=self.door)
        self.sentence = f"{self.target} is slower than what feeds it; dropped: {POLICIES[on_full]} (on_full)"
        """What people are told when drops begin."""
        self._window = window
        self._last: Optional[float] = None

    @property
    def full(self) -> bool:
        """Whether the maker of items has to wait: never."""
        return False

    @property
    def depth(self) -> int:
        """Items that may wait."""
        return self._window or self.credit.backlog()

    def surplus(self) -> Iterator[Cargo]:
        """What has to go, taken from those that wait."""
        if self.door is not None:
            yield from self.door.refused()
            return
        outbox, depth = self.outbox, self.depth
        while outbox.waiting > depth:
            yield outbox.take(outbox.waiting - depth, 1 << 62)
        while outbox.waiting > 1 and outbox.heavy > outbox.heavy_limit:
            yield outbox.take(1, 1)

    def widen(self, stride: int) -> None:
        """Say how much may wait until the next look, which should come after ``stride`` items."""
        if self.door is not None:
            self.door.depth = self.depth
        else:
            self.limit = self.depth + stride

    def begins(self, now: float) -> bool:
        """Something is dropped ``now``; whether that is news."""
        last, self._last = self._last, now
        return last is None or now - last > QUIET
