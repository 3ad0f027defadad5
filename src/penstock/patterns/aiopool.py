"""A replier for asyncio that answers several at once: each request has a task."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, Self

from penstock.errors import PeerError, TimedOut, UserError
from penstock.patterns import frames
from penstock.patterns.inquiry import Clerk, Inquiry, apology, read
from penstock.patterns.tuning import Tuning
from penstock.patterns.turnstile import Turnstile
from penstock.patterns.wire import Wire
from penstock.security.curve import Curve

log = logging.getLogger("penstock.patterns")


class ReplierPool:
    """Answers requests with what ``handler`` makes of them, up to ``concurrency`` at once."""

    def __init__(
        self,
        endpoint: str,
        handler: Callable[..., Any],
        *,
        concurrency: int = 16,
        of: Any = None,
        curve: Curve | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        """Nothing is opened before ``start``, or ``async with``.

        Args:
            endpoint: Where it is bound.
            handler: Called in the loop, and awaited where that can be; what it raises is logged, and raised
                where it was asked. One that has a parameter ``sender`` is told who asks: a ``Sender``, or
                None without ``curve``.
            concurrency: How many requests are answered at once; others wait.
            of: What each request is to be; one that is not is answered with an error.
            curve: As of sockets.
            tuning: The finer settings.

        Raises:
            UserError: nothing would be answered.
        """
        if concurrency < 1:
            raise UserError(f"concurrency={concurrency!r}: a pool answers at least one")
        self._endpoint, self._curve, self._tuning = endpoint, curve, tuning or Tuning()
        self._clerk = Clerk(handler, of)
        self._room = asyncio.Semaphore(concurrency)
        self._tasks = set[asyncio.Task[None]]()
        self._taking: asyncio.Task[None] | None = None
        self.answered = 0
        """Requests so far."""
        self.endpoint = ""
        """Where it is, once it is started."""

    async def start(self) -> Self:
        """Open it; when this returns, it answers.

        Raises:
            UserError: it cannot be bound.
        """
        self._wire = Wire(
            "ReplierPool", "ROUTER", binds=True, timeout=None, curve=self._curve, tuning=self._tuning
        )
        try:
            self._wire.open([self._endpoint])
        except BaseException:
            self._wire.close()
            raise
        self.endpoint = self._wire.endpoints[0]
        self._turnstile = Turnstile(self._wire)
        self._taking = asyncio.create_task(self._take())
        return self

    async def stop(self) -> int:
        """Take nothing new, answer what was taken, and close; how many were answered. Again, it is
        nothing."""
        taking, self._taking = self._taking, None
        if taking is not None:
            taking.cancel()
            await asyncio.gather(taking, *self._tasks, return_exceptions=True)
            self._turnstile.close()
            self._wire.close()
        return self.answered

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    async def _take(self) -> None:
        while True:
            await self._room.acquire()
            while (request := frames.take(self._wire)) is None:
                await self._turnstile.arrival()
            inquiry = read(request)
            if inquiry is None:
                log.warning("%s has left out a request without an envelope", self._wire)
                self._room.release()
                continue
            task = asyncio.create_task(self._answer(inquiry))
            self._tasks.add(task)
            task.add_done_callback(self._answered)

    async def _answer(self, inquiry: Inquiry) -> None:
        try:
            said = self._clerk.call(inquiry)
            answer = self._clerk.answer(inquiry, await said if inspect.isawaitable(said) else said)
        except Exception as error:  # noqa: BLE001  whatever it is, it is told to who asked
            answer = apology(inquiry, error)
        try:
            await self._turnstile.put(answer, 0)
        except (PeerError, TimedOut):
            log.info("%s: who asked is gone, or takes no answer", self._wire)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self.answered += 1
        self._tasks.discard(task)
        self._room.release()
