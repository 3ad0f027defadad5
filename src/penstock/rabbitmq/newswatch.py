"""Who waits for news of jobs hears the doorbell of the hub."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

from penstock.tasks.desk import Watch

NET = 5.0
"""Seconds after which who waits looks again though nobody has rung."""
GATHER = 0.02
"""Seconds within which one look serves for all that has happened."""


class NewsWatch(Watch):
    """By the hub's doorbell. It is rung by another thread."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def ring(self) -> None:
        """Something may have changed."""
        self._rung.set()
        waiting = self._waiting
        if waiting is not None:
            with suppress(RuntimeError):  # that loop was closed meanwhile
                waiting[0].call_soon_threadsafe(waiting[1].set)

    def wait(self, timeout: float | None = None) -> None:
        """See ``Watch``."""
        if self._rung.wait(NET if timeout is None else min(NET, timeout)):
            time.sleep(GATHER)
        self._rung.clear()

    async def heard(self) -> None:
        """See ``Watch``."""
        rung = asyncio.Event()
        self._waiting = asyncio.get_running_loop(), rung
        if not self._rung.is_set():
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(rung.wait(), NET)
        self._waiting = None
        await asyncio.sleep(GATHER)
        self._rung.clear()
