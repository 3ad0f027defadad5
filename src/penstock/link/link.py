"""One out-link of a sender: its account, its receivers' room, and what waits."""

from __future__ import annotations

from typing import Callable, Optional

from penstock.link.credit import NEVER, Credit
from penstock.link.ledger import Cargo, Ledger
from penstock.link.outbox import Outbox


class Link:
    """One out-link: its account, its receivers' room and what waits."""

    def __init__(
        self,
        *,
        id: int,
        target: str,
        max_failures: int,
        word: int,
        pool: int = 0,
        outbox: Optional[Outbox] = None,
    ) -> None:
        """``pool``: bytes of shared memory that the arrays of this link may use. ``outbox``: another than the
        one that takes all."""
        self.id = id
        self.target = target
        self.word = word
        """Its first word on the status page."""
        self.ledger = Ledger(max_failures)
        self.credit = Credit(pool)
        self.outbox = Outbox() if outbox is None else outbox
        self.put = self.outbox.put
        self.take = self.outbox.take
        self.limit = 1
        """When so many items wait, whoever makes more must wait too."""
        self.tap: Optional[Callable[[Cargo], None]] = None
        """Gets to see every cargo that goes out; nobody looks, usually."""
        self.bytes = self.shared = 0
        """What was sent, and what of it lay in shared memory."""

    @property
    def full(self) -> bool:
        """Whether the maker of items has to wait."""
        return self.outbox.waiting >= self.limit or self.outbox.heavy >= self.outbox.heavy_limit

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing is in flight."""
        return not self.outbox.waiting and not self.ledger.in_flight

    def next_due(self) -> Optional[float]:
        """When time alone gives it something to do: an item to deliver again, a letter to write again. An
        item for which nobody has room needs no clock: it will go when credit comes."""
        times = [self.ledger.next_burial(), self.ledger.next_due()]
        if self.credit.trigger() == NEVER:
            times.pop()
        return min((due for due in times if due is not None), default=None)
