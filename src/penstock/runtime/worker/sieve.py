"""In the worker of a stage or sink: what is kept from user code, where a knob says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from penstock.runtime.worker.live import LiveContext

if TYPE_CHECKING:
    from penstock.runtime.worker.sink.dedupe import Dedupe

Call = Callable[[Any], Any]


class Kept(NamedTuple):
    """How many items user code was not given."""

    stale: int = 0
    """They were too old to be begun."""
    doubles: int = 0
    """They were done before."""


class Sieve:
    """Stands before user code: what it is not to be given is counted."""

    def __init__(
        self,
        context: LiveContext,
        *,
        clock: Callable[[], float],
        dedupe: Optional[Dedupe] = None,
        yields: bool = False,
    ) -> None:
        """``yields``: user code is a generator, and through with an item when that is at its end."""
        self._call: Call
        self._context = context
        self._clock = clock
        self._dedupe = dedupe
        self._yields = yields
        self._stale = self._doubles = 0

    def before(self, call: Call) -> Call:
        """Stand before ``call`` for the items of a batch."""
        self._call = call if self._dedupe is None else self._once(call, self._dedupe)
        return self.call

    def _once(self, call: Call, dedupe: Dedupe) -> Call:
        context, yields = self._context, self._yields
        dedupe.catch_up()

        def once(value: Any) -> None:
            inbound = context.inbound
            assert inbound is not None
            key = dedupe.key(inbound, context.index)
            if dedupe.is_done(key):
                dedupe.strike(inbound)
                self._doubles += 1
                return
            answer = call(value)
            if yields and answer is not None:
                for _ in answer:
                    pass
            dedupe.note(key)

        return once

    def call(self, value: Any) -> Any:
        """Give user code the item in hand; what it answers, None for what it was not given."""
        inbound = self._context.inbound
        assert inbound is not None
        if inbound.expires and inbound.expires <= self._clock() * 1e9:
            self._stale += 1
            return None
        return self._call(value)

    def kept(self) -> Kept:
        """How many it has kept back since this was asked the last time."""
        found = Kept(self._stale, self._doubles)
        self._stale = self._doubles = 0
        return found
