"""In the worker of a stage or sink that takes its items in order: the loop that gives user code one after
the other.

A failure ends the work: what failed comes again, and what is behind it has to wait until it has.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional

from penstock.link.receiver import Inbound
from penstock.link.sequence import Segment
from penstock.message.envelope import Failure
from penstock.observe import durations, page
from penstock.runtime.worker.consumer import Consumer
from penstock.runtime.worker.exchange import Stopped
from penstock.runtime.worker.order.teller import Teller
from penstock.runtime.worker.order.turns import Turns

MOST = 1024
"""Items between two looks at what else has come."""


class Orderly(Consumer):
    """Runs the one replica of such a stage or sink."""

    in_turn = True

    def __init__(self, *, turns: Turns, teller: Optional[Teller], **consumer: Any) -> None:
        super().__init__(**consumer)
        self._turns = turns
        self._teller = teller

    def run(self) -> None:
        """Until it is drained.

        Raises:
            Stopped: it was told to end.
        """
        exchange, receiver = self._exchange, self._exchange.receiver
        while True:
            segment = self._turns.next(MOST)
            if segment is not None:
                self._work(segment)
                exchange.glance()
            elif receiver.left:
                return
            else:
                exchange.turn()
            if exchange.stopping:
                raise Stopped

    def _work(self, segment: Segment) -> None:
        """Call user code for these items, and finish them."""
        inbound, stint = segment.token.inbound, self._stint
        failures: List[Failure] = []
        values = segment.token.take(segment)
        values.reverse()
        self._point(inbound, segment.place)
        try:
            with stint:
                self._call_all(inbound, values, failures, segment.place)
        finally:
            self._context.inbound = None
        done = segment.items - len(values)
        if values:
            values.reverse()
            segment.token.values[segment.place + done : segment.place + segment.items] = values
        self._turns.close(segment, done, failures, stint.busy)
        if not self._singly(inbound.count):
            durations.count(self._words, page.DURATIONS, done, stint.mine // done)

    def _calls(self, inbound: Inbound) -> Callable[[Any], Any]:
        """What to call with each item of a batch."""
        call = super()._calls(inbound)
        return call if self._teller is None else self._teller.before(call)
