"""In the worker of an async stage or sink: the loop that has several coroutines under way."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any, Deque, Optional

from penstock.observe import page
from penstock.runtime.worker.channel import SupervisorLost
from penstock.runtime.worker.exchange import Stopped
from penstock.runtime.worker.several.hand import Hand, Job, Parts
from penstock.runtime.worker.several.loop import Loop
from penstock.runtime.worker.several.room import Room

LEAST, MOST = 1.0, 10.0
"""Seconds in which a coroutine that was cancelled must have ended: as many as its time-out, within these."""


class Coroutines:
    """Runs one replica of a stage or sink whose code is async."""

    def __init__(self, parts: Parts, *, loop: Loop, lanes: int, timeout: Optional[float]) -> None:
        """``lanes``: how many items may be in hand. ``timeout``: seconds that each may take."""
        self._exchange = parts.exchange
        self._emitter = parts.emitter
        self._handler = parts.handler
        self._is_sink = parts.is_sink
        self._context = parts.context
        self._loop = loop
        self._timeout = timeout
        self._main = threading.get_ident()
        self._hand = Hand(parts, lanes=lanes, put=self._put, is_sure=False)
        self._room = Room(parts.exchange, parts.words)
        self._through: Deque[Job] = deque()
        """User code is through with these, and all they made is on its way."""
        if timeout is not None:
            parts.words[page.LATITUDE] = int(min(MOST, max(LEAST, timeout)) * 1e9)

    def run(self) -> None:
        """Until it is drained.

        Raises:
            Stopped: it was told to end.
        """
        guard, exchange = self._exchange.guard, self._exchange
        with self._context.crowded():
            guard.leave()
            try:
                self._loop.serve(self._look)
            finally:
                guard.enter()
        if exchange.stopping:
            raise Stopped

    def _look(self) -> bool:
        """With the lock held, before and after each wait."""
        while self._through:
            self._hand.finish(self._through.popleft())
        self._room.look()
        begun = self._hand.take()
        for job, value in begun:
            self._loop.call_soon(self._start, job, value)
        if self._hand.is_over or (self._exchange.stopping and self._hand.is_empty):
            self._loop.stop()
            return True
        return bool(begun) or self._room.given

    def _start(self, job: Job, value: Any) -> None:
        self._hand.begin(job)
        job.task = self._loop.create_task(self._live(job, value))
        self._set_timer(job)

    async def _live(self, job: Job, value: Any) -> None:
        """From the beginning of user code to where all it has made is on its way."""
        try:
            answer = self._handler.begin(value, job.context)
            del value
            result = await self._answered(job, answer)
            self._end(job)
            if job.overdue:
                raise asyncio.CancelledError
            if self._is_sink:
                result = None
            if result is not None:
                await self._room.wait()
            self._hand.answer(job, result)
        except (Stopped, SupervisorLost):
            self._end(job)
            self._hand.drop(job)
        except BaseException as error:
            self._end(job)
            job.fail(error, f"timed out after {self._timeout:g} s" if job.overdue else "")
            self._through.append(job)
        else:
            self._through.append(job)
        self._loop.hurry()

    async def _answered(self, job: Job, answer: Any) -> Any:
        """What user code returns; what it yields is emitted as it comes."""
        if hasattr(answer, "__aiter__"):
            try:
                async for value in answer:
                    if value is not None and not self._is_sink:
                        await self._wait(job)
                        job.context.emit("", value)
            finally:
                if hasattr(answer, "aclose"):
                    await answer.aclose()
            return None
        return await answer if hasattr(answer, "__await__") else answer

    async def _wait(self, job: Job) -> None:
        """For room, if there is none. Its time stands still meanwhile."""
        if self._exchange.sender.full:
            self._cancel_timer(job)
            self._hand.pause(job)
            await self._room.wait()
            self._hand.resume(job)
            self._set_timer(job)

    def _end(self, job: Job) -> None:
        """User code is through with it. Twice is fine."""
        if job.task is not None:
            job.task = None
            self._cancel_timer(job)
            self._hand.end(job)

    def _put(self, job: Job, port: str, value: Any) -> None:
        """``ctx.emit`` of an item: a plain call, so while it waits for room all of this worker waits.

        Raises:
            RuntimeError: it came from another thread.
        """
        if threading.get_ident() != self._main:
            raise RuntimeError("ctx.emit of async code belongs to its loop, not to another thread")
        context = job.context
        if self._emitter.emit(port, value, context.inbound, context.id, context.children):
            self._exchange.pump()

    # Time-outs ---------------------------------------------------------------------------------------------

    def _set_timer(self, job: Job) -> None:
        if self._timeout is not None and not job.overdue:
            job.timer = self._loop.call_at(self._hand.due(job, self._timeout), self._expire, job)

    def _cancel_timer(self, job: Job) -> None:
        if job.timer is not None:
            job.timer.cancel()
            job.timer = None

    def _expire(self, job: Job) -> None:
        assert self._timeout is not None
        if self._hand.due(job, self._timeout) > self._loop.time():  # it has waited for room meanwhile
            self._set_timer(job)
        else:
            self._hand.blame(job)
            job.task.cancel()
