"""In the worker of a stage that has several items in hand: which they are, and what the page says of them.

When the worker dies with several in hand, nobody knows which was bad: nobody is blamed, and all come again,
each alone. A time-out is another matter: who is overdue is known."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from penstock.link.batching import GOAL
from penstock.message.codec import Decoder
from penstock.message.envelope import Failure
from penstock.observe import durations, page
from penstock.runtime.worker import handler
from penstock.runtime.worker.exchange import Exchange
from penstock.runtime.worker.live import ItemContext, LiveContext
from penstock.runtime.worker.order.teller import Teller
from penstock.runtime.worker.several.stock import Item, Stock

SHARE = 4
"""One batch of the link fills a quarter of the lanes at most. It is finished when its last item is: so of
larger ones, a few slow items would keep away all that is new."""


class Parts(NamedTuple):
    """What a loop with several items in hand is made of, whichever it is."""

    exchange: Exchange
    emitter: Any
    handler: Any
    context: LiveContext
    decoder: Decoder
    words: Any
    is_sink: bool
    stock: Callable[..., Any] = Stock
    """The kind that items are taken from."""
    teller: Optional[Teller] = None
    """Says which ids never arrive further down; None: nobody wants to know."""


class Job:
    """An item in hand."""

    context: ItemContext

    def __init__(self, item: Item) -> None:
        self.item = item
        self.began: Optional[int] = None
        """ns on the worker's clock, later by what it has waited for room."""
        self.waited = 0
        """What ``Exchange.waited`` said then."""
        self.paused = 0
        """Since when it waits for room, if it does."""
        self.busy = 0
        """ns that user code took."""
        self.overdue = False
        self.task: Any = None
        self.timer: Any = None

    def fail(self, error: BaseException, text: str = "") -> None:
        """User code has not done it. ``text``: the cause, where that says it better than ``error``."""
        failure: Failure = handler.failure(self.item.place, error)
        if text:
            failure = Failure(self.item.place, text, handler.user_traceback(error))
        self.item.fail(failure)


class Hand:
    """Up to ``lanes`` items in hand. All methods are called by the main thread."""

    def __init__(self, parts: Parts, *, lanes: int, put: Callable[..., None], is_sure: bool) -> None:
        """``put(job, port, value)`` emits. ``is_sure``: of several, the first begun is to blame for a
        time-out; else only one that is overdue."""
        self._exchange = parts.exchange
        self._context = parts.context
        self._words = parts.words
        self._lanes = lanes
        self._put = put
        self._is_sure = is_sure
        self._emitter = parts.emitter
        self._teller = parts.teller
        self._stock = parts.stock(
            receiver=parts.exchange.receiver,
            decoder=parts.decoder,
            words=parts.words,
            clock=parts.exchange.clock,
        )
        if parts.teller is not None:
            self._stock.on_stale = parts.teller.tell_stale
        self._running: Dict[Job, None] = {}
        """Those that user code works on, in the order in which they were begun."""
        self._overdue: Dict[Job, None] = {}
        self._held = 0
        self._has_suspect = False
        self._changed = 0
        """What ``Exchange.waited`` said when the number of those last changed."""
        self._words[page.LANES] = lanes

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in hand."""
        return not self._held

    @property
    def is_over(self) -> bool:
        """Whether nothing is in hand, and nothing can come."""
        return not self._held and self._exchange.receiver.left

    @property
    def is_free(self) -> bool:
        """Whether something may be begun. Asked with the lock held."""
        exchange = self._exchange
        held_back = exchange.paused and not exchange.draining
        return not (exchange.stopping or held_back or self._has_suspect) and exchange.has_room()

    def take(self) -> List[Tuple[Job, Any]]:
        """What may be begun now, and the values. Called with the lock held."""
        items: List[Item] = []
        values: List[Any] = []
        if self.is_free and self._held < self._lanes:
            self._stock.fill(items, values, self._lanes - self._held, alone=not self._held)
        self._held += len(items)
        self._has_suspect = self._has_suspect or any(item.parcel.inbound.attempt > 1 for item in items)
        return [(self._job(item), value) for item, value in zip(items, values)]

    def _job(self, item: Item) -> Job:
        job = Job(item)
        job.context = ItemContext(self._context, item, functools.partial(self._put, job))
        return job

    def begin(self, job: Job) -> None:
        """User code begins, or goes on after ``pause``."""
        now = self._count(1)
        job.waited = self._exchange.waited
        job.began = now if job.began is None else job.began + now - job.paused
        self._running[job] = None
        self._point()

    def pause(self, job: Job) -> None:
        """Its code waits for room: its time stands still."""
        job.began = self._began(job)
        job.paused = self._stop(job)

    def resume(self, job: Job) -> None:
        """It has room, and may not have waited for it."""
        if job not in self._running:
            self.begin(job)

    def end(self, job: Job) -> None:
        """User code is through with it."""
        began, is_running = self._began(job), job in self._running
        job.busy = max(0, (self._stop(job) if is_running else job.paused) - began)
        durations.count(self._words, page.DURATIONS, 1, job.busy)

    def answer(self, job: Job, result: Any) -> None:
        """User code has done it: send on what it has returned, and say what will not come of it.

        Raises: as ``Emitter.out``.
        """
        context, item = job.context, job.item
        inbound, children = item.parcel.inbound, context.children
        if result is not None and self._teller is not None and children.get(""):
            # The last of its children: its own id stands before theirs.
            self._emitter.emit("", result, inbound, context.id, children)
            result = None
        if result is not None:
            self._emitter.out(result, inbound, *inbound.id_at(item.place))
        if self._teller is not None:
            self._teller.tell(inbound, item.place, children, given=result is not None)

    def finish(self, job: Job) -> None:
        """It is done, or has failed. Called with the lock held."""
        self.drop(job)
        least = GOAL // (self._lanes // SHARE or 1) if self._lanes > 1 else 0
        self._stock.finish([job.item], max(job.busy, least))

    def drop(self, job: Job) -> None:
        """It is left to others."""
        self._held -= 1
        self._has_suspect = False  # it would have been the only one
        job.context.leave()

    def due(self, job: Job, timeout: float) -> float:
        """When it will have taken too long, on the worker's clock."""
        return self._began(job) / 1e9 + timeout

    def blame(self, job: Job) -> None:
        """It has taken too long."""
        job.overdue = True
        self._overdue[job] = None
        self._point()

    # Below -------------------------------------------------------------------------------------------------

    def _began(self, job: Job) -> int:
        """As ``Job.began``, with what all of them have waited since."""
        assert job.began is not None
        return job.began + (self._exchange.waited - job.waited if job in self._running else 0)

    def _stop(self, job: Job) -> int:
        now = self._count(-1)
        self._running.pop(job, None)
        self._overdue.pop(job, None)
        self._point()
        return now

    def _count(self, more: int) -> int:
        """Another number of items is worked on from now on; what time it is."""
        words, count, waited = self._words, len(self._running), self._exchange.waited
        now = int(self._exchange.clock() * 1e9)
        span = now - words[page.SINCE] - (waited - self._changed)
        words[page.BUSY] += max(0, span) * count // self._lanes if count else 0
        words[page.SINCE], self._changed = now, waited
        words[page.IN_HAND] = count + more
        return now

    def _point(self) -> None:
        """Name the first begun, or who is overdue, on the page. (0 first: never is half of a name there.)"""
        words = self._words
        words[page.STARTED] = 0
        job: Optional[Job] = next(iter(self._overdue or self._running), None)
        if job is not None:
            inbound = job.item.parcel.inbound
            words[page.SENDER], words[page.LINK] = inbound.connection.peer, inbound.connection.link
            words[page.BATCH], words[page.INDEX] = inbound.number, job.item.place
            words[page.CULPRIT] = self._is_sure or job.overdue
            words[page.STARTED] = self._began(job)
