"""In the worker of a stage that has several items in hand: the link's batches, taken apart and finished.

A batch of the link is as large as the link likes; a call of user code is not. What lies between is here:
items are taken in the order they came, from however many batches and senders, and a batch is finished when
the last of its items is.
"""

from __future__ import annotations

from itertools import repeat
from typing import Any, Callable, List, NamedTuple, Optional, Protocol

from penstock.errors import EnvironmentFault, PeerError
from penstock.link.receiver import Inbound
from penstock.message.codec import Decoder
from penstock.message.envelope import Failure
from penstock.observe import page
from penstock.runtime.worker import handler


def unpack(decoder: Decoder, inbound: Inbound, failures: List[Failure]) -> List[Any]:
    """The values of a batch of the link; none, and a failure for each, where it cannot be read."""
    source = inbound.connection.source
    source.frames = inbound.frames
    try:
        return decoder.values(inbound.body, source, count=inbound.count)
    except (PeerError, EnvironmentFault) as error:
        # Which of them was bad shows when they come again, each alone.
        failures += [handler.failure(index, error, unread=True) for index in range(inbound.count)]
        return []
    finally:
        source.frames = inbound.frames = []
        inbound.body = b""


class Parcel:
    """A batch of the link of which some items are in hand."""

    __slots__ = ("busy", "doubles", "failures", "inbound", "left", "stale", "taken", "values")

    def __init__(self, inbound: Inbound) -> None:
        self.inbound = inbound
        self.failures: List[Failure] = []
        self.values: List[Any] = []
        """Those not yet taken."""
        self.taken = 0
        self.left = inbound.count
        """Items not yet finished."""
        self.stale = 0
        """Items that were too old to be begun."""
        self.doubles = 0
        """Items that were done before."""
        self.busy = 0
        """ns of user code so far."""


class Item(NamedTuple):
    """One item in hand. Its value is kept apart from it: a view of shared memory shall die with the call."""

    parcel: Parcel
    place: int
    """In the batch of the link."""

    def fail(self, failure: Failure) -> None:
        """It was not done."""
        self.parcel.failures.append(failure)


class Feeder(Protocol):
    """Where batches come from, and who is told that they are finished: a receiver, or a part of it."""

    def next(self) -> Optional[Inbound]:
        """The next batch."""

    def finish(self, inbound: Inbound, busy: int, failures: List[Failure], stale: int = 0) -> None:
        """It is finished."""


class Stock:
    """What a worker has received and not finished. Called with the worker's lock held."""

    def __init__(self, *, receiver: Feeder, decoder: Decoder, words: Any, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._receiver = receiver
        self._decoder = decoder
        self._words = words
        self._front: Optional[Parcel] = None
        self.on_stale: Optional[Callable[[Parcel], None]] = None
        """Hears of those whose items that are not yet taken are too old to be begun."""

    def fill(self, items: List[Item], values: List[Any], most: int, *, alone: bool = True) -> bool:
        """Take items, and their values, until there are ``most``; whether these should wait for no others.
        ``alone``: nothing is in hand but these."""
        while len(items) < most:
            parcel = self._next()
            if parcel is None:
                return False
            is_suspect = parcel.inbound.attempt > 1  # why the last call went wrong? Alone from now on
            if is_suspect and (items or not alone):
                return True
            found = parcel.values[: most - len(items)]
            del parcel.values[: len(found)]
            items += map(Item, repeat(parcel), range(parcel.taken, parcel.taken + len(found)))
            values += found
            parcel.taken += len(found)
            if is_suspect:
                return True
        return True

    def finish(self, items: List[Item], busy: int) -> None:
        """User code is through with ``items``, which took ``busy`` ns together."""
        share = busy // len(items)
        for parcel, _ in items:
            parcel.busy += share
            parcel.left -= 1
            if not parcel.left:
                self._finish(parcel)

    def give_back(self) -> None:
        """What has come and is not begun goes back to those who sent it, for others."""
        parcel = self._front
        if parcel is not None and parcel.values:
            self._return(parcel, unread=False)
        while (inbound := self._receiver.next()) is not None:
            self._return(Parcel(inbound), unread=True)

    def _return(self, parcel: Parcel, *, unread: bool) -> None:
        rest = range(parcel.taken, parcel.inbound.count)
        parcel.failures += [handler.unbegun(place, unread=unread) for place in rest]
        parcel.left -= len(rest)
        parcel.values.clear()
        if not parcel.left:
            self._finish(parcel)

    def _next(self) -> Optional[Parcel]:
        """The parcel of the next item."""
        while self._front is None or not self._front.values or self._outlived(self._front):
            inbound = self._receiver.next()
            if inbound is None:
                return None
            self._front = parcel = Parcel(inbound)
            parcel.values = unpack(self._decoder, inbound, parcel.failures)
            if not parcel.values:
                self._finish(parcel)
        return self._front

    def _outlived(self, parcel: Parcel) -> bool:
        """Whether those of its items that are not yet taken are too old; then they are done with."""
        expires = parcel.inbound.expires
        if not expires or expires > self._clock() * 1e9:
            return False
        if self.on_stale is not None:
            self.on_stale(parcel)
        parcel.stale = len(parcel.values)
        parcel.left -= parcel.stale
        parcel.values.clear()
        if not parcel.left:
            self._finish(parcel)
        return True

    def _finish(self, parcel: Parcel) -> None:
        words, failures, stale = self._words, parcel.failures, parcel.stale
        words[page.ITEMS] += parcel.inbound.count - len(failures) - stale - parcel.doubles
        words[page.FAILURES] += len(failures) - sum(failure.unbegun for failure in failures)
        self._receiver.finish(parcel.inbound, parcel.busy, failures, stale)
