"""In the worker of a stage or sink: what is kept from user code, where a knob says so."""

from __future__ import annotations

from typing import Any, Callable

from penstock.runtime.live import LiveContext


class Sieve:
    """Stands before user code: an item that is too old to be begun is counted and not given to it."""

    def __init__(self, context: LiveContext, *, clock: Callable[[], float]) -> None:
        self._call: Callable[[Any], Any]
        self._context = context
        self._clock = clock
        self._stale = 0

    def before(self, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Stand before ``call``."""
        self._call = call
        return self.call

    def call(self, value: Any) -> Any:
        """Give user code the item in hand; what it answers, None for what it was not given."""
        inbound = self._context.inbound
        assert inbound is not None
        if inbound.expires and inbound.expires <= self._clock() * 1e9:
            self._stale += 1
            return None
        return self._call(value)

    def stale(self) -> int:
        """How many it has kept back since this was asked the last time."""
        found, self._stale = self._stale, 0
        return found
