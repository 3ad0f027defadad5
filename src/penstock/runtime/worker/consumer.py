"""In the worker of a stage or sink: the loop that gives user code one item after the other."""

from __future__ import annotations

import time
from typing import Any, Callable, List, Optional

from penstock.link.receiver import Inbound
from penstock.message.codec import Decoder
from penstock.message.envelope import Failure
from penstock.observe import durations, page
from penstock.runtime.worker import handler
from penstock.runtime.worker.channel import SupervisorLost
from penstock.runtime.worker.emitter import Emitter
from penstock.runtime.worker.exchange import Exchange, Stopped
from penstock.runtime.worker.handler import Handler
from penstock.runtime.worker.live import LiveContext
from penstock.runtime.worker.several.stock import unpack
from penstock.runtime.worker.sieve import Kept, Sieve
from penstock.runtime.worker.stint import Stint

FEW = 64
"""Items of a batch up to which each is timed by itself. In larger ones an item takes less than 80 us, and
two looks at the clock would be a burden: there all count as their mean."""

NONE_KEPT = Kept()


class Consumer:
    """Runs one replica of a stage or sink."""

    in_turn = False
    """Whether a failure ends a batch: what is behind it has to wait until that has come again."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        emitter: Emitter,
        handler: Handler,
        context: LiveContext,
        decoder: Decoder,
        words: Any,
        is_sink: bool,
        timed: bool,
        sieve: Optional[Sieve] = None,
    ) -> None:
        """``timed``: note on the page when each item begins, for the supervisor's time-out. ``sieve``: keeps
        items from user code."""
        self._exchange = exchange
        self._emitter = emitter
        self._handler = handler
        self._context = context
        self._decoder = decoder
        self._words = words
        self._is_sink = is_sink
        self._timed = timed
        self._sieve = sieve
        self._stint = Stint(exchange, words)
        one = _let_go if is_sink else self._emit_one
        self._emit: Callable[[Any, Inbound, int], None] = self._emit_many if handler.yields else one
        """What becomes of a result."""

    def run(self) -> None:
        """Until it is drained.

        Raises:
            Stopped: it was told to end.
        """
        exchange, receiver = self._exchange, self._exchange.receiver
        while True:
            inbound = receiver.next()
            if inbound is not None:
                self._process(inbound)
                if receiver.queued:  # otherwise `turn` comes next, and does the same once
                    exchange.glance()
            elif receiver.left:
                return
            else:
                exchange.turn()
            if exchange.stopping:
                raise Stopped

    def _process(self, inbound: Inbound) -> None:
        """Call user code for every item of a batch, and finish it."""
        words, stint = self._words, self._stint
        failures: List[Failure] = []
        self._point(inbound, 0)
        try:
            with stint:
                self._call_all(inbound, self._decode(inbound, failures), failures)
        finally:
            self._context.inbound = None
        stale, doubles = NONE_KEPT if self._sieve is None else self._sieve.kept()
        begun = inbound.count - stale - doubles
        words[page.ITEMS] += begun - len(failures)
        words[page.FAILURES] += len(failures)
        self._exchange.receiver.finish(inbound, stint.busy, failures, stale)
        if begun and not self._singly(inbound.count):
            durations.count(words, page.DURATIONS, begun, stint.mine // begun)

    def _point(self, inbound: Inbound, index: int) -> None:
        """Name what is in hand, for the supervisor and for user code."""
        words = self._words
        words[page.SENDER], words[page.LINK] = inbound.connection.peer, inbound.connection.link
        words[page.BATCH], words[page.INDEX] = inbound.number, index
        self._context.inbound = inbound

    def _singly(self, count: int) -> bool:
        """Whether the items of a batch of so many are timed one by one. (What a generator yields it makes
        outside of its call.)"""
        return 1 < count <= FEW and not self._handler.yields

    def _calls(self, inbound: Inbound) -> Callable[[Any], Any]:
        """What to call with each item of a batch."""
        call = self._timed_call if self._singly(inbound.count) else self._handler.call
        return call if self._sieve is None else self._sieve.before(call)

    def _timed_call(self, value: Any) -> Any:
        exchange, began = self._exchange, time.monotonic_ns() - self._exchange.waited
        try:
            return self._handler.call(value)
        finally:
            took = time.monotonic_ns() - exchange.waited - began
            durations.count(self._words, page.DURATIONS, 1, took)

    def _decode(self, inbound: Inbound, failures: List[Failure]) -> List[Any]:
        """The values, last first: each is popped, so that a view dies with its item, not with its batch."""
        values = unpack(self._decoder, inbound, failures)
        values.reverse()
        return values

    def _call_all(self, inbound: Inbound, values: List[Any], failures: List[Failure], first: int = 0) -> None:
        """Call user code with ``values``, last first, of the items from the place ``first`` on. Those that
        are left were not called."""
        call, words, context, exchange = self._calls(inbound), self._words, self._context, self._exchange
        children, emit = self._emitter.children, self._emit
        for index in range(first, first + len(values)):
            words[page.INDEX] = context.index = index
            if self._timed:
                words[page.STARTED] = time.monotonic_ns()
            try:
                result = call(values.pop())
                if result is not None:
                    emit(result, inbound, index)
            except (Stopped, SupervisorLost):
                raise
            except BaseException as error:
                failures.append(handler.failure(index, error))
                if self.in_turn:
                    children.clear()
                    break
            result = None
            if children:
                children.clear()
            if exchange.stopping:
                raise Stopped

    def _emit_one(self, value: Any, inbound: Inbound, index: int) -> None:
        ids = inbound.ids
        if len(ids) == 1:
            origin, number = ids[0][0], ids[0][1] + index
        else:
            origin, number = inbound.id_at(index)
        if self._emitter.out(value, inbound, origin, number):
            self._exchange.pump()

    def _emit_many(self, values: Any, inbound: Inbound, index: int) -> None:
        for value in values:
            if value is not None and not self._is_sink:
                self._context.emit("", value)


def _let_go(value: Any, inbound: Inbound, index: int) -> None:
    """What a sink returns is nobody's."""
