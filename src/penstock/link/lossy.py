"""A link that drops items, because it is full or because they are too old: which ones, and how many may wait.

*drop_newest* refuses an item at the door (see ``door``). *drop_oldest* lets items in, and each look takes
what is too much off the front: never what is in flight, so nobody works on what is dropped. Between two
looks (2 ms of items) more may wait.

How many may wait is ``window``, where the receiving stage has one; else as many as would wait in front of a
link that blocks: the next batch, some 5 ms of a receiver's work. Behind slow work that is one item, the
freshest (or the first); where batches are large, a burst of thousands finds room.

*max_age* goes with any of these. A batch is made of items of one mark (see ``marks``), and carries the time
at which they become too old, to the receiver and through every further delivery.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, Optional

from penstock.link.door import Door
from penstock.link.ledger import Cargo
from penstock.link.link import Link
from penstock.link.marks import Marks
from penstock.observe import page

QUIET = 10.0
"""Seconds without a drop, after which the next one is news again."""

ALL = 1 << 62
"""More bytes than there are."""

POLICIES = {"block": "", "drop_oldest": "the oldest that wait", "drop_newest": "what comes then"}
"""What is dropped."""


class Lossy(Link):
    """A link that drops something: its ``surplus``, what is ``stale``, or both."""

    def __init__(
        self, *, on_full: str = "block", window: int = 0, max_age: Optional[float] = None, **link: Any
    ) -> None:
        """``window``: items that may wait; 0: the next batch. ``max_age``: seconds an item may live."""
        self.door = Door() if on_full == "drop_newest" else None
        super().__init__(**link, outbox=self.door)
        self.marks = Marks(int(max_age * 1e9)) if max_age is not None else None
        if self.marks is not None:
            self.take = self._take_marked
        self.too_slow = f"{self.target} is slower than what feeds it; dropped: {POLICIES[on_full]} (on_full)"
        self.too_old = f"{self.target} gets to items when they are too old; dropped: these (max_age)"
        self._on_full = on_full
        self._window = window
        self._last: Dict[str, float] = {}
        self._now = 0

    @property
    def full(self) -> bool:
        """Whether the maker of items has to wait: only if nothing is dropped for that."""
        return self._on_full == "block" and super().full

    @property
    def depth(self) -> int:
        """Items that may wait."""
        return self._window or self.credit.backlog()

    def surplus(self) -> Iterator[Cargo]:
        """What has to go, taken from those that wait."""
        if self.door is not None:
            yield from self.door.refused()
        elif self._on_full == "drop_oldest":
            outbox, depth = self.outbox, self.depth
            while outbox.waiting > depth:
                yield self.take(outbox.waiting - depth, ALL)
            while outbox.waiting > 1 and outbox.heavy > outbox.heavy_limit:
                yield self.take(1, 1)

    def stale(self, now: float) -> Iterator[Cargo]:
        """What waits, for the first time or again, and is too old ``now``; it is taken out."""
        marks = self.marks
        assert marks is not None
        self._now = int(now * 1e9)
        marks.note(self.outbox.waiting, self._now)
        while marks.front and marks.expires <= self._now:
            yield self.take(marks.front, ALL)
        # Of what is due again only the front is looked at: the others will be, at the front or at a receiver.
        while self.ledger.due(now) and 0 < self.ledger.first_due().expires <= self._now:
            yield self.ledger.take_due()

    def _take_marked(self, items: int, nbytes: int) -> Cargo:
        """Like ``Outbox.take``, of items that were made at nearly the same time."""
        marks = self.marks
        assert marks is not None
        marks.note(self.outbox.waiting, self._now)
        expires = marks.expires if marks.front else 0
        cargo = self.outbox.take(min(items, marks.front), nbytes)
        cargo.expires = expires
        marks.take(len(cargo))
        return cargo

    def widen(self, stride: int) -> None:
        """Say how much may wait until the next look, which should come after ``stride`` items."""
        if self.door is not None:
            self.door.depth = self.depth
        elif self._on_full == "drop_oldest":
            self.limit = self.depth + stride

    def begins(self, sentence: str, now: float) -> bool:
        """Something is dropped ``now``; whether that is news."""
        last, self._last[sentence] = self._last.get(sentence), now
        return last is None or now - last > QUIET

    def note(self, words: Any) -> None:
        """Write on the status page how things stand."""
        super().note(words)
        words[self.word + page.DROPPED_FULL] = self.ledger.dropped_full
        words[self.word + page.DROPPED_TOO_OLD] = self.ledger.dropped_too_old
