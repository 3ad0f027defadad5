"""In the worker of async code: coroutines that wait for room in a link, while the others go on."""

from __future__ import annotations

import asyncio
import time
from typing import Any, List

from penstock.observe import page
from penstock.runtime.worker.exchange import Exchange, Stopped


class Room:
    """Lets coroutines wait while a link is full."""

    def __init__(self, exchange: Exchange, words: Any) -> None:
        self.given = False
        """Whether the last ``look`` has let somebody go on."""
        self._exchange = exchange
        self._words = words
        self._waiting: List[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Until there is room.

        Raises:
            Stopped: the worker was told to end.
        """
        while self._exchange.sender.full:
            if self._exchange.stopping:
                raise Stopped
            if not self._waiting:
                self._words[page.BLOCKED] = time.monotonic_ns()
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]

    def look(self) -> None:
        """Let them go on if there is room, or never will be. Called with the lock held."""
        self.given = bool(self._waiting) and (self._exchange.has_room() or self._exchange.stopping)
        if self.given:
            words = self._words
            words[page.WAITED] += max(0, time.monotonic_ns() - words[page.BLOCKED])
            words[page.BLOCKED] = 0
            for future in self._waiting:
                if not future.done():
                    future.set_result(None)
            self._waiting.clear()
