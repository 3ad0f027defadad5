"""In the worker of a group with async tasks: asyncio in the main thread, for one job at a time.

Imported where there is async code: asyncio takes some 30 ms.
"""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable

from penstock.runtime.worker.jobs.attempt import Told


class JobLoop:
    """One loop for all jobs of a process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    def complete(self, awaitable: Awaitable[Any]) -> Any:
        """What it answers. Told to end, it is cancelled as asyncio does that, and runs to its end."""
        task = self._loop.create_task(_awaited(awaitable))
        try:
            return self._loop.run_until_complete(task)
        except Told:
            task.cancel()
            self._loop.run_until_complete(asyncio.wait([task]))
            if not task.cancelled():
                task.exception()  # asyncio complains of what nobody has asked for
            raise
        finally:
            self._cancel_others()

    def _cancel_others(self) -> None:
        """What the job has left running is no part of the next."""
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left, timeout=1.0))


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
