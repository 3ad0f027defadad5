"""In the worker of a stage or sink with ``batch=``: the loop that gives user code many items in one call.

When a call fails, nobody knows which of its items was bad: so all of them come again, each alone, and only
an item that fails alone has failed. The same when the worker dies of a call: its page then blames nobody.
"""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

import msgspec

from penstock.message import arrays
from penstock.message.codec import Decoder
from penstock.message.shape import converter
from penstock.observe import durations, page
from penstock.runtime.worker import handler, stack
from penstock.runtime.worker.channel import SupervisorLost
from penstock.runtime.worker.emitter import Emitter
from penstock.runtime.worker.exchange import Exchange, Stopped
from penstock.runtime.worker.handler import Handler
from penstock.runtime.worker.live import LiveContext
from penstock.runtime.worker.several.stock import Item, Stock
from penstock.runtime.worker.stack import Number
from penstock.runtime.worker.stint import Stint


class Batcher:
    """Runs one replica of a stage or sink that takes batches."""

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
        batch: int,
        wait: float,
        pad: Optional[Number],
        stock: Any = None,
    ) -> None:
        """``wait``: seconds that up to ``batch`` items are waited for once there is one. ``stock``: another
        than the one that takes them as they come."""
        self._exchange = exchange
        self._emitter = emitter
        self._handler = handler
        self._context = context
        self._words = words
        self._is_sink = is_sink
        self._batch = batch
        self._wait = wait
        self._pad = pad
        self._stacks = handler.signature.takes_array
        self._stint = Stint(exchange, words)
        self._convert = converter(handler.signature.element_type)
        # A stack is a copy: user code sees nothing of what it was made from.
        decoder.borrow = self._stacks and handler.prepare is None
        self._stock = stock or Stock(
            receiver=exchange.receiver, decoder=decoder, words=words, clock=exchange.clock
        )

    def run(self) -> None:
        """Until it is drained.

        Raises:
            Stopped: it was told to end.
        """
        exchange, receiver = self._exchange, self._exchange.receiver
        while True:
            items: List[Item] = []
            values: List[Any] = []
            self._gather(items, values)
            if items and not exchange.stopping:
                self._process(items, values)
            elif receiver.left:
                return
            elif not exchange.stopping:
                exchange.turn()
            if exchange.stopping:
                raise Stopped

    def _gather(self, items: List[Item], values: List[Any]) -> None:
        """What the next call gets: all there is, up to a batch, after a wait for more where that is allowed.
        Who drains waits for nothing: what comes, comes."""
        exchange, fill = self._exchange, self._stock.fill
        if fill(items, values, self._batch):
            return
        exchange.serve()
        ready = fill(items, values, self._batch)
        end = exchange.clock() + self._wait
        while items and not ready and not exchange.draining and exchange.clock() < end:
            exchange.turn(end)
            ready = fill(items, values, self._batch)

    def _process(self, items: List[Item], values: List[Any]) -> None:
        """One call of user code, and what comes of it."""
        words, stint, context = self._words, self._stint, self._context
        first = items[0].parcel.inbound
        # Whom the supervisor blames when this worker dies: with several in hand, nobody.
        words[page.SENDER] = first.connection.peer if len(items) == 1 else 0
        words[page.LINK], words[page.BATCH] = first.connection.link, first.number
        words[page.INDEX] = items[0].place
        context.hold(items)
        try:
            with stint:
                self._handle(items, values)
        finally:
            context.hold(())
        durations.count(words, page.DURATIONS, len(items), stint.mine)  # each has taken as long as its call
        self._stock.finish(items, stint.busy)

    def _handle(self, items: List[Item], values: List[Any]) -> None:
        fit = self._fitting(self._prepared(items, values), values)
        if not fit:
            return
        self._context.hold(fit)
        try:
            result = self._handler.call(self._argument(values))
            outputs = () if self._is_sink or result is None else one_for_each(result, len(fit))
        except (Stopped, SupervisorLost):
            raise
        except BaseException as error:
            _fail_all(fit, error)
            return
        self._emit_all(fit, outputs)

    def _prepared(self, items: List[Item], values: List[Any]) -> Sequence[Item]:
        """The items that are still there when each has gone through what runs before the call; ``values``
        becomes theirs. What fails there fails alone: it is known which it was."""
        prepare = self._handler.prepare
        if prepare is None:
            return items
        left: List[Item] = []
        kept: List[Any] = []
        for item, value in zip(items, values):
            self._context.hold([item])
            try:
                prepared = prepare(value)
            except (Stopped, SupervisorLost):
                raise
            except BaseException as error:
                item.fail(handler.failure(item.place, error))
            else:
                if prepared is not None:
                    left.append(item)
                    kept.append(prepared)
        values[:] = kept
        return left

    def _fitting(self, items: Sequence[Item], values: List[Any]) -> Sequence[Item]:
        """The items that can be in this call; ``values`` becomes theirs. The others have failed, or, where
        they fit the call but not the others in it, come again alone."""
        if self._convert is None and (not self._stacks or (items and stack.fit(values))):
            return items
        fit: List[Item] = []
        kept: List[Any] = []
        for item, value in zip(items, values):
            try:
                kept.append(self._fitted(value, kept))
            except ValueError as error:  # noqa: PERF203  each may be wrong in its own way
                item.fail(handler.failure(item.place, error, shared=self._stacks and bool(kept)))
            else:
                fit.append(item)
        values[:] = kept
        return fit

    def _fitted(self, value: Any, kept: List[Any]) -> Any:
        if self._convert is not None:
            return self._convert(value)
        unfit = stack.misfit(value, kept[0] if kept else value, pad=self._pad is not None)
        if unfit:
            raise ValueError(unfit)
        return value

    def _argument(self, values: List[Any]) -> Any:
        """What the code is called with. Its list is its own; what has been stacked is needed no more."""
        if not self._stacks:
            return values
        array = stack.stack(values, self._pad)
        values.clear()
        return array

    def _emit_all(self, items: Sequence[Item], outputs: Sequence[Any]) -> None:
        out, pump, exchange = self._emitter.out, self._exchange.pump, self._exchange
        for item, value in zip(items, outputs):
            if value is None:
                continue
            inbound = item.parcel.inbound
            try:
                if out(value, inbound, *inbound.id_at(item.place)):
                    pump()
            except (Stopped, SupervisorLost):
                raise
            except BaseException as error:
                item.fail(handler.failure(item.place, error))
            if exchange.stopping:
                raise Stopped


def one_for_each(result: Any, count: int) -> Sequence[Any]:
    """One output for each of ``count`` items.

    Raises:
        TypeError: it is neither a list nor an array.
        ValueError: there are more of them, or fewer.
    """
    if not isinstance(result, (list, tuple)) and not (arrays.is_array(result) and result.ndim):
        raise TypeError(
            f"with batch= a call returns a list or an array with one output for each of its {count} items,"
            f" and this returned a {type(result).__name__}"
        )
    if len(result) != count:
        raise ValueError(f"the call got {count} items and returned {len(result)} outputs; None is no output")
    return result  # type: ignore[no-any-return]


def _fail_all(items: Sequence[Item], error: BaseException) -> None:
    """The call raised. Which of several items was bad shows when they come again, each alone."""
    if len(items) == 1:
        items[0].fail(handler.failure(items[0].place, error))
        return
    failure = handler.failure(0, error, shared=True)
    text = f"{failure.error} (in a batch of {len(items)}; each of them comes again alone)"
    for item in items:
        item.fail(msgspec.structs.replace(failure, index=item.place, error=text, traceback=""))
        text = ""  # once is enough
