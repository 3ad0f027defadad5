"""In the worker of a stage or sink that takes its items in order: the loop that gives user code one after
the other.

A failure ends the work: what failed comes again, and what is behind it has to wait until it has.
"""

from __future__ import annotations

import time
from typing import Any, Callable, List, Optional

from penstock.link.receiver import Inbound
from penstock.link.sequence import Segment
from penstock.message.envelope import Failure
from penstock.observe import durations, page
from penstock.runtime import handler
from penstock.runtime.channel import SupervisorLost
from penstock.runtime.consumer import Consumer
from penstock.runtime.exchange import Stopped
from penstock.runtime.teller import Teller
from penstock.runtime.turns import Turns

MOST = 1024
"""Items between two looks at what else has come."""


class Orderly(Consumer):
    """Runs the one replica of such a stage or sink."""

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
        words, guard, exchange = self._words, self._exchange.guard, self._exchange
        inbound = segment.token.inbound
        words[page.SENDER], words[page.LINK] = inbound.connection.peer, inbound.connection.link
        words[page.BATCH], words[page.INDEX] = inbound.number, segment.place
        failures: List[Failure] = []
        values = segment.token.take(segment)
        values.reverse()
        self._context.inbound = inbound
        waited = exchange.waited
        words[page.STARTED] = started = time.monotonic_ns()
        guard.leave()
        try:
            self._call_in_turn(segment, values, failures)
        finally:
            guard.enter()
            words[page.STARTED] = 0
            self._context.inbound = None
        busy = time.monotonic_ns() - started
        mine = busy - (exchange.waited - waited)
        done = segment.items - len(values)
        words[page.BUSY] += mine
        if values:
            values.reverse()
            segment.token.values[segment.place + done : segment.place + segment.items] = values
        self._turns.close(segment, done, failures, busy)
        if not self._singly(inbound.count):
            durations.count(words, page.DURATIONS, done, mine // done)

    def _calls(self, inbound: Inbound) -> Callable[[Any], Any]:
        """What to call with each item of a batch."""
        call = super()._calls(inbound)
        return call if self._teller is None else self._teller.before(call)

    def _call_in_turn(self, segment: Segment, values: List[Any], failures: List[Failure]) -> None:
        """Up to the first failure. ``values`` last first; those that are left were not called."""
        inbound = segment.token.inbound
        call, words, context, exchange = self._calls(inbound), self._words, self._context, self._exchange
        children = self._emitter.children
        for index in range(segment.place, segment.place + segment.items):
            words[page.INDEX] = context.index = index
            if self._timed:
                words[page.STARTED] = time.monotonic_ns()
            try:
                result = call(values.pop())
                if result is not None:
                    self._emit(result, inbound, index)
            except (Stopped, SupervisorLost):
                raise
            except BaseException as error:
                failures.append(handler.failure(index, error))
            result = None
            if children:
                children.clear()
            if exchange.stopping or failures:
                break
        if exchange.stopping:
            raise Stopped

    def _emit(self, result: Any, inbound: Inbound, index: int) -> None:
        if self._handler.yields:
            self._emit_many(result)
        elif not self._is_sink:
            self._emit_one(result, inbound, index)
