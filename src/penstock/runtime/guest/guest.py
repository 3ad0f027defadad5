"""In a script that takes part in a pipeline: what ``penstock.attach`` gives it.

A consumer turned inside out: not we call the code for each item, the code asks for the next one. To ask is to
be through with the one before.
"""

from __future__ import annotations

import atexit
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Type

from penstock.errors import NotRunning, UserError, WiringError
from penstock.message.shape import converter
from penstock.observe import durations, page
from penstock.runtime.guest.hosted import Hosted
from penstock.runtime.worker import handler
from penstock.runtime.worker.channel import SupervisorLost
from penstock.runtime.worker.exchange import Stopped
from penstock.runtime.worker.several.stock import Item

if TYPE_CHECKING:
    from typing_extensions import Self


class Message(NamedTuple):
    """One item in hand."""

    value: Any
    id: str
    """The same however often it comes."""
    attempt: int
    """How often it has been delivered; from 1."""


class Drained(NotRunning):
    """The pipeline takes nothing new. Ends a ``with`` block of a guest without an error."""


class Guest:
    """A script's place in a pipeline, made by ``penstock.attach``.

    ::

        with penstock.attach("robot", "simulate") as node:
            for message in node:
                node.emit(world.step(message.value))

    To ask for the next message is to be done with the one before. Leaving the block by an exception fails the
    message in hand, as an exception in a stage does; then, as after ``break``, what has come and is not begun
    goes to others. The loop ends when the pipeline drains.
    """

    def __init__(self, worker: Hosted, takes: Any) -> None:
        """The seat is taken, and ``worker`` sits in it."""
        assignment = worker.assignment
        self.name = assignment.label
        """``simulate/0``: the seat."""
        self._worker = worker
        self._kind = assignment.kind
        self._convert = converter(takes)
        self._origin = assignment.origin
        self._thread = threading.get_ident()
        self._item: Optional[Item] = None
        self._id = ""
        self._began = self._waited = 0
        self._children: Dict[str, int] = {}
        self._made: Dict[str, int] = {}
        self._closed = False
        atexit.register(self._desert)

    def __repr__(self) -> str:
        return f"<guest {self.name} of {self._worker.assignment.pipeline}{' (gone)' * self._closed}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], _: Optional[TracebackType]
    ) -> bool:
        if error is None or isinstance(error, Drained):
            self.close()
            return error is not None
        try:
            if isinstance(error, Exception):
                self._go(error)
            else:
                self._desert()  # Ctrl-C, exit(): nobody's fault, least of all the item's
        except NotRunning:
            pass  # what is on its way says more
        return False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        """The next message; done is the one before.

        Raises:
            NotRunning: the pipeline has ended, or goes on without this script.
            UserError: a source gets no messages.
        """
        if self._kind == "source":
            raise UserError(f"{self.name} is a source, so nothing comes to it; node.emit(value) makes items")
        if self._closed:
            raise StopIteration
        self._be_mine()
        message = self._next()
        while message is None and not self._ends:
            message = self._next()  # there was a Ctrl-C, and the script's handler has seen to it
        if message is None:
            self.close()
            raise StopIteration
        return message

    @property
    def stopping(self) -> bool:
        """Whether to come to an end: the pipeline drains, or is no more."""
        return self._closed or self._worker.lost or self._worker.exchange.draining

    def emit(self, value: Any, *, port: str = "") -> None:
        """Send ``value`` on, as made from the message in hand; where there is none, as a source does.

        Waits while those who take it have no room. The value is yours again when this returns.

        Raises:
            NotRunning: the pipeline has ended, or takes nothing new (which ends a ``with`` block).
            UnsupportedType: it cannot travel.
            WiringError: there is no such port.
        """
        self._be_mine()
        if self._kind == "sink":
            raise WiringError(f"{self.name} is a sink: nothing comes out of it")
        if self._item is None:
            self._refuse_late()
            parent, origin, children = None, self._origin + (f":{port}" if port else ""), self._made
        else:
            parent, origin, children = self._item.parcel.inbound, self._id, self._children
        worker = self._worker
        alarm = worker.emitter.emit(port, value, parent, origin, children)
        if self._kind == "source":
            worker.words[page.ITEMS] += 1
        if alarm or worker.lost:
            self._pump()

    def fail(self, error: Exception) -> None:
        """The message in hand has failed, with what an exception of a stage does: it comes again, or becomes
        a dead letter (at once for ``Reject``). Go on with the next one.

        Raises:
            UserError: none is in hand.
            NotRunning: as ``next``.
        """
        if self._item is None:
            raise UserError(f"{self.name} has no message in hand that could fail")
        self._be_mine()
        try:
            self._worker.enter()
            self._finish(error)
        except SupervisorLost:
            raise self._bereft() from None
        finally:
            self._worker.leave()

    def close(self) -> None:
        """Leave the pipeline, which goes on; done is the message in hand. Waits until what was emitted is
        settled. Twice is fine.

        Raises:
            NotRunning: it had ended before, so that what was emitted may not have come through.
        """
        self._go(None)

    # Below -----------------------------------------------------------------------------------------------

    def _be_mine(self) -> None:
        if self._closed:
            raise NotRunning(f"this script is no part of {self._worker.assignment.pipeline} any more")
        if threading.get_ident() != self._thread:
            raise RuntimeError(
                f"{self.name} belongs to the thread that attached it; hand the value over to it"
            )

    def _next(self) -> Optional[Message]:
        """As ``_await``, with the lock. Raises KeyboardInterrupt, where the handler of SIGINT does."""
        try:
            self._worker.enter()
            self._finish()
            return self._await()
        except SupervisorLost:
            raise self._bereft() from None
        finally:
            self._worker.leave()

    @property
    def _ends(self) -> bool:
        """Whether no message will come any more."""
        return self._worker.receiver.left or self._worker.exchange.stopping

    def _await(self) -> Optional[Message]:
        """The next message, begun; None: there will be none, or Ctrl-C has come."""
        worker = self._worker
        items: List[Item] = []
        values: List[Any] = []
        worker.exchange.glance()
        while not worker.interrupts.came:
            worker.stock.fill(items, values, 1)
            if items:
                message = self._begin(items.pop(), values)
                if message is not None:
                    return message
            elif self._ends:
                return None
            else:
                worker.exchange.turn()
        return None

    def _begin(self, item: Item, values: List[Any]) -> Optional[Message]:
        """None: its value is not of the type that is taken; then it has failed."""
        inbound, words = item.parcel.inbound, self._worker.words
        words[page.SENDER], words[page.LINK] = inbound.connection.peer, inbound.connection.link
        words[page.BATCH], words[page.INDEX] = inbound.number, item.place
        words[page.STARTED] = self._began = time.monotonic_ns()
        self._waited = self._worker.exchange.waited
        self._item = item
        self._id = "{}:{}".format(*inbound.id_at(item.place))
        self._children = {}
        try:
            value = values.pop()
            return Message(
                value if self._convert is None else self._convert(value), self._id, inbound.attempt
            )
        except Exception as error:
            self._finish(error)
            return None

    def _finish(self, error: Optional[Exception] = None, *, back: bool = False) -> None:
        """Be through with the item in hand: it is done, has failed, or goes back. With the lock held."""
        item, self._item = self._item, None
        if item is None:
            return
        words = self._worker.words
        took = time.monotonic_ns() - self._began - (self._worker.exchange.waited - self._waited)
        words[page.STARTED] = 0
        words[page.BUSY] += took
        if back:
            item.fail(handler.unbegun(item.place))
        elif error is not None:
            item.fail(handler.failure(item.place, error))
        else:
            durations.count(words, page.DURATIONS, 1, took)
            self._tell(item)
        self._worker.stock.finish([item], took)

    def _tell(self, item: Item) -> None:
        """All that will ever be made of it has been."""
        if self._worker.teller is not None:
            self._worker.teller.tell(item.parcel.inbound, item.place, self._children, given=False)

    def _refuse_late(self) -> None:
        """A source makes nothing while it is paused, and nothing more when the pipeline drains."""
        worker = self._worker
        if worker.exchange.paused and not worker.lost:
            self._guarded(worker.exchange.until_resumed)
        if worker.exchange.draining:
            raise Drained(f"{worker.assignment.pipeline} drains: it takes nothing new from {self.name}")

    def _pump(self) -> None:
        self._guarded(self._worker.exchange.pump)

    def _guarded(self, call: Any) -> None:
        """``call`` takes the lock by itself, and may wait."""
        self._worker.interrupts.hold()
        try:
            if self._worker.lost:
                raise SupervisorLost
            call()
        except Stopped:
            raise Drained(f"{self._worker.assignment.pipeline} was stopped") from None
        except SupervisorLost:
            raise self._bereft() from None
        finally:
            self._worker.interrupts.release()

    def _bereft(self) -> NotRunning:
        """There is nothing left to be part of."""
        self._let_go()
        return self._worker.farewell()

    def _desert(self) -> None:
        """Leave with a message in hand that was not done, and has not failed either."""
        try:
            self._go(None, back=True)
        except NotRunning:
            pass

    def _go(self, error: Optional[Exception], *, back: bool = False) -> None:
        if self._closed:
            return
        worker = self._worker
        try:
            worker.enter()
            if not back:
                self._finish(error)
            worker.part(lambda: self._finish(back=True))
        except Stopped:
            pass
        except SupervisorLost:
            raise worker.farewell() from None
        finally:
            self._let_go()
            worker.interrupts.release()

    def _let_go(self) -> None:
        if not self._closed:
            self._closed = True
            atexit.unregister(self._desert)
            self._worker.close()
