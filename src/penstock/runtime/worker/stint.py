"""In the worker: user code at work on a batch, with the sockets left to the steward and the time noted."""

from __future__ import annotations

import time
from typing import Any

from penstock.observe import page
from penstock.runtime.worker.exchange import Exchange


class Stint:
    """``with`` it user code is called; then it says how long that took. One serves all calls of a worker."""

    __slots__ = ("_exchange", "_started", "_waited", "_words", "busy", "mine")

    def __init__(self, exchange: Exchange, words: Any) -> None:
        self._exchange = exchange
        self._words = words
        self.busy = 0
        """ns from the beginning to the end."""
        self.mine = 0
        """What of it was not waiting for room downstream."""

    def __enter__(self) -> None:
        self._waited = self._exchange.waited
        self._words[page.STARTED] = self._started = time.monotonic_ns()
        self._exchange.guard.leave()

    def __exit__(self, *_: object) -> None:
        exchange = self._exchange
        exchange.guard.enter()
        self._words[page.STARTED] = 0
        self.busy = time.monotonic_ns() - self._started
        self.mine = self.busy - (exchange.waited - self._waited)
        self._words[page.BUSY] += self.mine
