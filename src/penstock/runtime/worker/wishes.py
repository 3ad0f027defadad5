"""In the worker: what it may be asked for while it runs. Few ever are, so who does it is imported then."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Callable, Dict

from penstock.link.ledger import Cargo
from penstock.link.link import Link
from penstock.message.arena import Arena
from penstock.runtime import control
from penstock.runtime.worker.exchange import Exchange

if TYPE_CHECKING:
    from penstock.runtime.worker.recorder import Recorders
    from penstock.runtime.worker.returns import Returns
    from penstock.runtime.worker.tapper import Tappers


class Wishes:
    """Those of one worker. Called with the worker's lock held."""

    def __init__(
        self,
        assignment: control.Assignment,
        links: Dict[int, Link],
        *,
        exchange: Exchange,
        arena: Arena,
        words: Any,
        whole: Callable[[Cargo], bytes],
    ) -> None:
        """``links``: by id. ``whole(cargo)``: its payload, arrays included."""
        self._assignment = assignment
        self._links = links
        self._exchange = exchange
        self._arena = arena
        self._words = words
        self._whole = whole

    def listen(self) -> None:
        """From here on they may come."""
        obey = self._exchange.obey
        obey(control.Tap, self._tap)
        obey(control.Record, self.record)
        obey(control.Requeue, self._requeue)
        obey(control.Inquire, self._tell_imports)

    def record(self, wish: control.Record) -> None:
        """Keep what goes out by some links, or no more."""
        self._recorders.wish(wish)
        self._exchange.sender.look_again()

    def take_back(self) -> None:
        """Send again what was put back before this worker was there."""
        folder = os.path.join(self._assignment.state_dir, "dead")
        if self._links and os.path.isdir(folder) and os.listdir(folder):
            self._returns.begin()

    def close(self) -> None:
        """Nothing more goes out."""
        if "_recorders" in self.__dict__:
            self._recorders.close()

    def _tap(self, wish: control.Tap) -> None:
        self._tappers.wish(wish)

    def _requeue(self, wish: control.Requeue) -> None:
        self._returns.look(wish)

    def _tell_imports(self, wish: control.Inquire) -> None:
        from penstock.runtime.worker import imports

        self._exchange.channel.say(control.Imported(imports.below(wish.roots)))

    @cached_property
    def _tappers(self) -> Tappers:
        from penstock.runtime.worker.tapper import Tappers

        return Tappers(self._assignment, self._links, whole=self._whole, clock=self._exchange.clock)

    @cached_property
    def _recorders(self) -> Recorders:
        from penstock.runtime.worker.recorder import Recorders

        say = self._exchange.channel.say
        return Recorders(self._assignment, self._links, arena=self._arena, say=say)

    @cached_property
    def _returns(self) -> Returns:
        from penstock.runtime.worker.returns import Returns

        return Returns(self._assignment, self._links, exchange=self._exchange, words=self._words)
