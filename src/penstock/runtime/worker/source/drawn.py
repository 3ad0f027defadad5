"""In the worker of an async source: what it makes, for a loop that is not async."""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, List, Optional

from penstock.runtime.worker.several.loop import Loop, nothing


class Drawn:
    """What an async source makes, one after the other.

    It runs in one task from its first item to its last, for what it enters (a time-out, a group of tasks) may
    only be left by the task that entered it. Between two items the loop stands still.
    """

    def __init__(self, made: AsyncIterator[Any], loop: Loop) -> None:
        self._made = made
        self._loop = loop
        self._exchange = loop.exchange
        self._task: Optional[asyncio.Task[None]] = None
        self._wanted: Optional[asyncio.Future[None]] = None
        self._values: List[Any] = []
        self._cancelled = False

    def __iter__(self) -> Drawn:
        return self

    def __next__(self) -> Any:
        if self._task is None:
            self._task = self._loop.create_task(self._draw())
            self._task.add_done_callback(self._stop)
        elif self._wanted is not None:
            self._wanted.set_result(None)
            self._wanted = None
        if not self._task.done():
            self._loop.serve(self._look)
        if self._values:
            return self._values.pop()
        self._raise()
        raise StopIteration

    def close(self) -> None:
        """Let it run its ``finally`` blocks."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            self._loop.serve(nothing)
            self._raise()

    def _raise(self) -> None:
        """What it has raised. That it was cancelled is our doing, or its own affair: then that was all."""
        assert self._task is not None
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def _draw(self) -> None:
        try:
            async for value in self._made:
                self._values.append(value)
                self._wanted = self._loop.create_future()
                self._loop.stop()
                await self._wanted
        finally:
            close = getattr(self._made, "aclose", None)
            if close is not None:
                await close()

    def _look(self) -> bool:
        """The pipeline drains: whatever it waits for, it is to end."""
        task = self._task
        if self._cancelled or not self._exchange.draining or task is None or self._values:
            return False
        self._cancelled = True
        self._loop.call_soon(task.cancel)
        return True

    def _stop(self, _: Any) -> None:
        self._loop.stop()
