"""In the worker of a window or a join: the loop that puts items together.

An item that is taken in is *finished*, so its credit goes back and a window can fill whatever its sender may
have out; and it is *unsettled* until it is in no window any more and all that it was in is settled. So a
death loses nothing: what was kept comes again, and is put together anew.

What is kept is views: an item is unsettled, so its sender keeps its slot of shared memory in any case, and a
copy would come on top.
"""

from __future__ import annotations

import time
from typing import Any, Callable, List, Mapping, Optional, Protocol, Sequence

from penstock.link.receiver import Inbound
from penstock.message.codec import Decoder
from penstock.observe import page
from penstock.runtime import handler
from penstock.runtime.channel import SupervisorLost
from penstock.runtime.emitter import Emitter
from penstock.runtime.exchange import Exchange, Stopped
from penstock.runtime.group import Group
from penstock.runtime.stock import Item, Stock
from penstock.runtime.windows import Output

MOST = 4096
"""Items that are taken in between two looks."""

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

    def relieve(self) -> List[Output]:
        """Too much is kept: the oldest gives way."""

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
        limit: int,
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
        self._limit = limit
        self._origin = origin
        self._label = label
        self._made = 0
        self._changes = 0
        self._over: List[Inbound] = []
        """One entry for each item that is kept no longer, until its batch is told."""
        self._told: List[str] = []
        self._tell: List[str] = []
        self._stock = Stock(receiver=exchange.receiver, decoder=decoder, words=words, clock=exchange.clock)

    def run(self) -> None:
        """Until it is drained.

        Raises:
            Stopped: it was told to end.
        """
        exchange, receiver = self._exchange, self._exchange.receiver
        while True:
            taken = self._take()
            self._forget()
            self._let_out()
            if exchange.stopping:
                raise Stopped
            if taken:
                exchange.glance()
            elif receiver.left:
                return
            else:
                exchange.turn(self._shape.due())
            if exchange.stopping:
                raise Stopped

    def _take(self) -> bool:
        """Take in what has come; whether something had."""
        items: List[Item] = []
        values: List[Any] = []
        self._stock.fill(items, values, MOST)
        if not items:
            return False
        waited, started = self._exchange.waited, time.monotonic_ns()
        self._outside(lambda: self._absorb(items, values))
        busy = time.monotonic_ns() - started
        self._words[page.BUSY] += busy - (self._exchange.waited - waited)
        self._stock.finish(items, busy)
        self._settle()
        return True

    def _let_out(self) -> None:
        """What is over by now goes; where nothing more can come, all."""
        shape, exchange = self._shape, self._exchange
        if not shape.held:
            return
        over = exchange.draining or exchange.dry
        outputs = shape.flush() if over else shape.advance(exchange.clock())
        if outputs:
            self._outside(lambda: self._emit_all(outputs))
            self._settle()

    def _forget(self) -> None:
        """What a sender had made that is dead, others get again; so it goes from what is open here."""
        receiver = self._exchange.receiver
        if self._changes != receiver.changes:
            self._changes = receiver.changes
            forgotten = self._shape.forget(lambda member: not member.inbound.connection.open)
            self._over += [member.inbound for member in forgotten]
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
        tell, self._tell = self._tell, []
        for text in tell:
            self._exchange.notice("warning", text)

    def _absorb(self, items: Sequence[Item], values: List[Any]) -> None:
        now, shape = self._exchange.clock(), self._shape
        values.reverse()
        for item in items:
            value, inbound = values.pop(), item.parcel.inbound
            side = self._sides[inbound.connection.link]
            try:
                key = self._key(side, value, item)
            except (Stopped, SupervisorLost):
                raise
            except BaseException as error:
                item.fail(handler.failure(item.place, error))
                continue
            inbound.emitted += 1  # as long as it is kept
            self._emit_all(shape.add(key, side, Member(inbound, value), now))
            while shape.held > self._limit:
                self._emit_all(shape.relieve())
                self._say_once(
                    f"{self._label} keeps no more than {self._limit:,} items, so the oldest go out before"
                    " their time; say limit= for more"
                )
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
