"""A thread with an event loop, so that code of any kind may use a connection that lives on between its calls.
Whoever waits for it blocks nobody but himself.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Found = TypeVar("Found")

LAST = 1.0
"""Seconds for what is under way when it ends."""


class Background:
    """One such thread. It begins with the first work for it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._running: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None

    def done(self, work: Coroutine[Any, Any, Found]) -> Found:
        """What ``work`` gives, once it is done there. If we are interrupted, it is not done further."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Call ``act`` there, after so long; it must not block."""
        loop = self._loop()
        loop.call_soon_threadsafe(loop.call_later, seconds, act)

    def _loop(self) -> asyncio.AbstractEventLoop:
        with self._turn:
            if self._running is None:
                loop = asyncio.new_event_loop()
                # A process that ends does not wait for it: what is under way then nobody waits for.
                thread = threading.Thread(target=loop.run_forever, name="penstock-rabbitmq", daemon=True)
                thread.start()
                self._running = loop, thread
            return self._running[0]

    def close(self) -> None:
        """End. Twice is fine."""
        with self._turn:
            if self._running is not None:
                loop, thread = self._running
                asyncio.run_coroutine_threadsafe(_wound_up(), loop).result()
                loop.call_soon_threadsafe(loop.stop)
                thread.join()
                loop.close()
                self._running = None


async def _wound_up() -> None:
    """Until nothing is under way any more: a loop that ends in the middle of something complains."""
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=LAST)
