"""In the worker of a source that draws from a queue: the items in its hand, and what became of them."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import Callable, Deque, Iterator, List, Optional

from penstock.runtime.queuewire import Given, Piece, Told, Unfit
from penstock.runtime.worker.exchange import Exchange, Stopped


class Ticket:
    """One item that was sent: the parent of all that was made of it, as far as links are concerned."""

    __slots__ = ("emitted", "number", "settled")

    def __init__(self, number: int) -> None:
        self.number = number
        self.emitted = 0
        self.settled = 0


class Tray:
    """Those of one worker. What became of some is told together, before the worker waits."""

    def __init__(self, exchange: Exchange, *, say: Callable[[Told], None]) -> None:
        self._exchange = exchange
        self._say = say
        self._waiting: Deque[Piece] = deque()
        self._through: List[int] = []
        self._unfit: List[Unfit] = []
        exchange.obey(Given, self._take)
        exchange.errand = self.tell

    def _take(self, given: Given) -> None:
        self._waiting.extend(given.pieces)

    def next(self) -> Optional[Piece]:
        """The next that is to be sent; waits for one. ``None``: begin nothing more. Without the lock.

        Raises:
            Stopped: the worker was told to end.
        """
        exchange = self._exchange
        if not self._waiting or exchange.draining:
            with self._locked():
                while not self._waiting and not exchange.draining:
                    exchange.turn()
                if exchange.stopping:
                    raise Stopped
                if exchange.draining:
                    self._give_back()
                    return None
        return self._waiting.popleft()

    def _give_back(self) -> None:
        back = [piece.number for piece in self._waiting]
        self._waiting.clear()
        if back:
            self._say(Told(back=back))

    def settled(self, ticket: Ticket, count: int) -> None:
        """``count`` items made of it are settled. With the worker's lock held."""
        ticket.settled += count
        if ticket.settled == ticket.emitted:
            self._through.append(ticket.number)

    def passed_over(self, ticket: Ticket) -> None:
        """Nothing was made of it, and nothing will be. Without the lock."""
        with self._locked():
            self._through.append(ticket.number)

    def failed(self, unfit: Unfit) -> None:
        """It could not be sent. Without the lock."""
        with self._locked():
            self._unfit.append(unfit)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._exchange.guard.enter()
        try:
            yield
        finally:
            self._exchange.guard.leave()

    def tell(self) -> None:
        """Pass on what became of some. With the worker's lock held."""
        if self._through or self._unfit:
            through, self._through = self._through, []
            unfit, self._unfit = self._unfit, []
            self._say(Told(through, unfit))
