"""How far a source may be ahead, where its items are given to somebody in order. A decision module.

Who holds items until their turn has come gives credit for them, so credit bounds no more how many these are;
and to stop a stage in the middle could stop just the one item that all others wait for. So the bound is
where items begin: nothing new is sent by a source's link while too much of what it has sent is unsettled.
What waits then waits in the link, as it does for want of credit: the maker waits, or the link drops.
"""

from __future__ import annotations

from typing import Any, Optional

from penstock.link.credit import NEVER, Credit, Offer
from penstock.link.ledger import Ledger

AHEAD = 0.25e9
"""ns of work that a source may be ahead, at the pace of its link."""
LEAST, MOST = 64, 1 << 16
"""Items that it may be ahead in any case, and at most."""
NBYTES = 256 * 1024 * 1024
"""Bytes, by the size of an item in the mean."""

PATIENCE = 1.0
"""Seconds in which nothing is settled, after which as many again may go; then after twice as many, and so
on. Batches and words are settled whole, and one may keep what is done together with what waits for items that
the rein holds back (behind a route, or of two sources): so it may never hold for ever."""


class Rein(Credit):
    """The credit of a link, and no more than may be unsettled."""

    def __init__(self, pool: int, link: Any, *, ahead: int, hands: int) -> None:
        """``link``: whose it is. ``ahead``: items that may be unsettled; 0: as many as make sense.
        ``hands``: items that all workers of the run work on together, at most. Each is to have something to
        do."""
        super().__init__(pool)
        self._link = link
        self._ahead = ahead
        self._hands = hands
        self._slack = 0
        self._settled = -1
        self._since = 0.0
        self._patience = PATIENCE

    @property
    def left(self) -> int:
        """Items that may be sent now."""
        ledger: Ledger = self._link.ledger
        return self._bound * (1 + self._slack) - ledger.in_flight

    @property
    def _bound(self) -> int:
        return int(self._ahead or self._usual())

    def ease(self, now: float) -> Optional[float]:
        """Something waits, and was not offered to anybody: when to ask again; None: not for the rein."""
        settled: int = self._link.ledger.settled
        if settled != self._settled or (self.left > 0 and not self._slack):
            self._settled, self._since, self._slack, self._patience = settled, now, 0, PATIENCE
        if self.left > 0:
            return None
        if now >= self._since + self._patience:
            self._since, self._slack, self._patience = now, self._slack + 1, 2 * self._patience
            return now
        return self._since + self._patience

    def _usual(self) -> int:
        cost = self.pace.cost
        items = int(AHEAD / cost * max(1, len(self._rooms))) if cost else 0
        items = min(MOST, max(LEAST, 4 * self._hands, items))
        nbytes: int = self._link.bytes // max(1, self._link.ledger.sent)
        return max(2 * self._hands, min(items, NBYTES // max(1, nbytes)))

    def offer(self, waiting: int) -> Optional[Offer]:
        """The batch to send now; None: better wait. What goes out again is ahead already."""
        if waiting >= NEVER - 1:
            return super().offer(waiting)
        left = self.left
        return self._bounded(super().offer(min(waiting, left)) if left > 0 else None, left)

    def offer_to(self, receiver: int, waiting: int) -> Optional[Offer]:
        """The batch to send now to that receiver; None: better wait."""
        if waiting >= NEVER - 1:
            return super().offer_to(receiver, waiting)
        left = self.left
        return self._bounded(super().offer_to(receiver, min(waiting, left)) if left > 0 else None, left)

    def trigger(self) -> int:
        """How many items must wait for ``offer`` to say yes. While the rein is too tight for so many, a
        message has to come, and there is room only for what goes out again."""
        trigger = super().trigger()
        return trigger if trigger <= self.left or trigger == NEVER else NEVER - 1

    @staticmethod
    def _bounded(offer: Optional[Offer], left: int) -> Optional[Offer]:
        return None if offer is None else offer._replace(items=min(offer.items, left))
