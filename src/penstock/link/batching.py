"""How large a batch should be. A decision module: numbers in, numbers out.

Batches make themselves: an item is sent at once to a receiver that has nothing to do; while all are
busy, items gather, and the next credit takes them, up to a batch that costs its receiver about 5 ms. An
idle link so has the latency of one message and a busy one the throughput of thousands, with no knob.
"""

from __future__ import annotations

GOAL = 5_000_000
"""ns of user code that one batch should cost its receiver."""

MOST = 4096
"""Items in one batch, however cheap they are."""

BODY = 1 << 20
"""Bytes in the message of one batch, about: a core's cache holds that. (A batch of 5 ms of 4 KiB arrays had
6 MB, and each of its copies went to memory and back.)"""

CHEAP = 250_000
"""ns: up to here an item costs little, wherever it waits."""

SLOW = 20_000_000
"""ns: from here on an item is handed only to a receiver that has nothing to do. Waiting in the wrong
queue would cost more than the tenth of a millisecond that the hand-over takes."""

SLOW_AFAR = 1_000_000_000
"""The same for a receiver on another host: a large array may take that long to get there."""


FALL, RISE, RISE_BY_ONE = 0.5, 0.25, 0.1
"""How much a report counts that says less than was thought, that says more, that says more of one item only.
Where there are more workers than cores, what took long was mostly the wait for a core; to believe it makes
the batches small, small batches cost more, and so on down to items that travel one by one. (2,000 items
through 30 stages of 4 replicas on 2 cores: 58 s of processor time, now 3 s.)"""


class Pace:
    """What an item of a link costs its receivers: a moving average of what they report."""

    __slots__ = ("cost", "size")

    def __init__(self) -> None:
        self.cost = 0.0
        """ns an item; 0 before the first report."""
        self.size = 1.0
        """Bytes of an item in the message."""

    def report(self, items: int, busy: int) -> None:
        """``items`` took ``busy`` ns of user code."""
        if items > 0:
            new = max(1.0, busy / items)
            weight = FALL if new < self.cost else RISE if items > 1 else RISE_BY_ONE
            self.cost = new if not self.cost else (1 - weight) * self.cost + weight * new

    def weigh(self, items: int, nbytes: int) -> None:
        """``items`` had ``nbytes`` in their message."""
        if items > 0:
            self.size += RISE * (max(1.0, nbytes / items) - self.size)

    def target(self) -> int:
        """Items in a batch that costs about ``GOAL`` and has about ``BODY``. Before anything is known: 1."""
        if not self.cost:
            return 1
        return max(1, int(min(MOST, GOAL / self.cost, BODY / self.size)))

    def depth(self, *, afar: bool = False) -> int:
        """Batches a receiver may have: one in hand, and the next ones, so that it need not wait for them.

        More than one of these only where they are cheap: then their sender need not look at its sockets
        between one item and the next. Or where they go to another host: one is being enciphered, one
        deciphered, and neither can be begun before it is whole.
        """
        if self.cost > (SLOW_AFAR if afar else SLOW):
            return 1
        return 4 if 0 < self.cost <= (SLOW if afar else CHEAP) else 2
