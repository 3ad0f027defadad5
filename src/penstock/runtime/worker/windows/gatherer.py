"""In the worker of a window or a join: the loop that puts items together.

An item that is taken in is *finished*, so its credit goes back and a window can fill whatever its sender may
have out; and it is *unsettled* until it is in no window any more and all that it was in is settled. So a
death loses nothing: what was kept comes again, and is put together anew.

What is kept is views: an item is unsettled, so its sender keeps its slot of shared memory in any case, and a
copy would come on top.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Container, List, Mapping, Optional, Protocol, Sequence

from penstock.link.receiver import Inbound, Receiver
from penstock.message.codec import Decoder
from penstock.message.envelope import Failure
from penstock.observe import page
from penstock.runtime.control import Assignment
from penstock.runtime.worker import handler
from penstock.runtime.worker.channel import SupervisorLost
from penstock.runtime.worker.emitter import Emitter
from penstock.runtime.worker.exchange import Exchange, Stopped
from penstock.runtime.worker.several.stock import Item, Stock
from penstock.runtime.worker.windows.group import Group
from penstock.runtime.worker.windows.windows import Output

Asker = Callable[[Any], Any]
"""Answers the key of an item."""


class Shape(Protocol):
    """Decides what goes together: ``windows.Windows``, ``matching.Matching``."""

    @property
    def held(self) -> int:
        """Items that are kept."""

    def add(self, key: Any, side: int, member: Any, now: float, /) -> List[Output]:
        """An item came; what is over by that."""

    def advance(self, now: float) -> List[Output]:
        """What is over by now."""

    def due(self) -> Optional[float]:
        """When to ``advance``; None: time alone changes nothing."""

    @property
    def cut(self) -> int:
        """How often something was over before its time, as too much was kept."""

    def room(self, side: int, /) -> int:
        """How many items may come from that flow; 0: it has to wait."""

    def give_up(self, side: int, /) -> List[Output]:
        """Nothing more comes but from that flow; what waits in vain."""

    def flush(self) -> List[Output]:
        """Nothing more comes: all goes."""

    def forget(self, gone: Callable[[Any], bool]) -> List[Any]:
        """What is ``gone`` comes again by another way; what was taken out."""


class Member:
    """One item that is kept."""

    __slots__ = ("inbound", "value")

    def __init__(self, inbound: Inbound, value: Any) -> None:
        self.inbound = inbound
        self.value = value


class Gatherer:
    """Runs the one replica of a window or a join."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        emitter: Emitter,
        decoder: Decoder,
        words: Any,
        shape: Shape,
        keys: Sequence[Optional[Asker]],
        sides: Mapping[int, int],
        whole: Callable[[Sequence[Any]], Any],
        origin: str,
        label: str,
    ) -> None:
        """``keys``: of each flow, what answers the key of an item; None: all have the same. ``sides``: the
        flow of each link, by its id. ``whole`` makes of the values what goes out. ``origin``: of the ids of
        these."""
        self._exchange = exchange
        self._emitter = emitter
        self._words = words
        self._shape = shape
        self._keys = keys
        self._sides = sides
        self._whole = whole
        self._origin = origin
        self._label = label
        self._made = 0
        self._changes = 0
        self._over: List[Inbound] = []
        """One entry for each item that is kept no longer, until its batch is told."""
        self._told: List[str] = []
        self._tell: List[str] = []
        self._stocks = [
            Stock(
                receiver=_Flow(exchange.receiver, links), decoder=decoder, words=words, clock=exchange.clock
            )
            for links in _links(sides, len(keys))
        ]

    def run(self) -> None:
        """Until it is drained.

        Raises:
            Stopped: it was told to end.
        """
        exchange, receiver = self._exchange, self._exchange.receiver
        while True:
            taken = self._take()
            self._forget()
            if exchange.stopping:
                raise Stopped
            if self._let_out() or taken:  # what has gone makes room for more
                exchange.glance()
            elif receiver.left:
                return
            else:
                exchange.turn(self._shape.due())
            if exchange.stopping:
                raise Stopped

    def _take(self) -> bool:
        """Take in what has come; whether something had."""
        taken = [self._take_of(side) for side in range(len(self._keys))]
        return any(taken)

    def _take_of(self, side: int) -> bool:
        """Take in what has come from one flow, unless it is too far ahead of the others."""
        room = self._shape.room(side)
        if not room:
            return self._wait_for_others(side)
        items: List[Item] = []
        values: List[Any] = []
        stock = self._stocks[side]
        stock.fill(items, values, room)
        if not items:
            return False
        waited, started = self._exchange.waited, time.monotonic_ns()
        self._outside(lambda: self._absorb(side, items, values))
        busy = time.monotonic_ns() - started
        self._words[page.BUSY] += busy - (self._exchange.waited - waited)
        stock.finish(items, busy)
        self._settle()
        return True

    def _wait_for_others(self, side: int) -> bool:
        """A flow is too far ahead. It waits, unless the others have nothing more; whether it goes on."""
        if self._exchange.receiver.silent(link for link, other in self._sides.items() if other != side):
            return self._emit_apart(self._shape.give_up(side))
        self._say_once(
            f"{self._label} keeps as many items of one flow as it may, so that flow waits for the others;"
            " say limit= for more"
        )
        self._settle()
        return False

    def _let_out(self) -> bool:
        """What is over by now goes; where nothing more can come, all. Whether something went."""
        shape, exchange = self._shape, self._exchange
        if not shape.held:
            return False
        over = exchange.draining or exchange.dry
        outputs = shape.flush() if over else shape.advance(exchange.clock())
        return self._emit_apart(outputs)

    def _emit_apart(self, outputs: Sequence[Output]) -> bool:
        """What goes out though nothing came in; whether there was something."""
        if outputs:
            self._outside(lambda: self._emit_all(outputs))
            self._settle()
        return bool(outputs)

    def _forget(self) -> None:
        """What a sender had made that is dead, others get again; so it goes from what is open here."""
        receiver = self._exchange.receiver
        if self._changes != receiver.changes:
            self._changes = receiver.changes
            forgotten = self._shape.forget(lambda member: not member.inbound.connection.open)
            self._over += [member.inbound for member in forgotten]
            self._words[page.KEPT] = self._shape.held
            self._settle()

    def _outside(self, call: Callable[[], None]) -> None:
        """Call what may take its time (user code, or a wait for room), with the lock let go."""
        guard = self._exchange.guard
        guard.leave()
        try:
            call()
        finally:
            guard.enter()
            # Only now: what is kept no longer has gone out.
            self._words[page.KEPT] = self._shape.held

    def _settle(self) -> None:
        """Tell the senders of what is kept no longer, and people of what they should know."""
        receiver, over, self._over = self._exchange.receiver, self._over, []
        for inbound in over:
            receiver.settled(inbound, 1)
        if self._shape.cut:
            self._say_once(
                f"{self._label} keeps as many items as it may, so the oldest windows close before their time;"
                " say limit= for more"
            )
        tell, self._tell = self._tell, []
        for text in tell:
            self._exchange.notice("warning", text)

    def _absorb(self, side: int, items: Sequence[Item], values: List[Any]) -> None:
        now, shape = self._exchange.clock(), self._shape
        values.reverse()
        for item in items:
            value, inbound = values.pop(), item.parcel.inbound
            try:
                key = self._key(side, value, item)
            except (Stopped, SupervisorLost):
                raise
            except BaseException as error:
                item.fail(handler.failure(item.place, error))
                continue
            inbound.emitted += 1  # as long as it is kept
            self._emit_all(shape.add(key, side, Member(inbound, value), now))
            if self._exchange.stopping:
                raise Stopped

    def _key(self, side: int, value: Any, item: Item) -> Any:
        """The key of an item; while it is asked for, the page says who would be to blame.

        Raises what user code raises.
        """
        asker = self._keys[side]
        if asker is None:
            return None
        words, inbound = self._words, item.parcel.inbound
        words[page.SENDER], words[page.LINK] = inbound.connection.peer, inbound.connection.link
        words[page.BATCH], words[page.INDEX] = inbound.number, item.place
        words[page.STARTED] = time.monotonic_ns()
        try:
            return asker(value)
        finally:
            words[page.STARTED] = 0

    def _emit_all(self, outputs: Sequence[Output]) -> None:
        for members, released in outputs:
            if members:
                self._emit(members)
            else:
                self._count_unmatched(released)
            self._over += [member.inbound for member in released]

    def _emit(self, members: Sequence[Optional[Member]]) -> None:
        inbounds = [member.inbound for member in members if member is not None]
        for inbound in inbounds:
            inbound.emitted += 1
        value = self._whole([None if member is None else member.value for member in members])
        number, self._made = self._made, self._made + 1
        if self._emitter.out(value, Group(inbounds), self._origin, number):
            self._exchange.pump()

    def _count_unmatched(self, members: Sequence[Member]) -> None:
        for member in members:
            self._words[member.inbound.connection.word + page.UNMATCHED] += 1
        self._say_once(
            f"{self._label} has found no partner for an item in time; such items are counted as unmatched"
        )

    def _say_once(self, text: str) -> None:
        if text not in self._told:
            self._told.append(text)
            self._tell.append(text)


class _Flow:
    """What comes by some of a worker's links: to its stock it is the receiver."""

    def __init__(self, receiver: Receiver, links: Container[int]) -> None:
        self._receiver = receiver
        self._links = links

    def next(self) -> Optional[Inbound]:
        """The next batch."""
        return self._receiver.next_of(self._links)

    def finish(self, inbound: Inbound, busy: int, failures: List[Failure], stale: int = 0) -> None:
        """It is finished."""
        self._receiver.finish(inbound, busy, failures, stale)


def _links(sides: Mapping[int, int], count: int) -> List[List[int]]:
    """The links of each flow."""
    return [[link for link, side in sides.items() if side == flow] for flow in range(count)]


def of(assignment: Assignment, **parts: Any) -> Gatherer:
    """That of a worker."""
    sides = {link.id: link.side for link in assignment.inlinks}
    return Gatherer(**parts, sides=sides, label=assignment.label, origin=assignment.origin)
