"""In the worker of a stage or sink with ``threads=``: the loop that has an item in each thread.

User code runs in the threads of a pool. The main thread has the sockets, and all that is made goes through
it: so it never lets go of the worker's lock, and the steward sleeps."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Optional

from penstock.observe import page
from penstock.runtime.worker.exchange import Stopped
from penstock.runtime.worker.several.hand import Hand, Job, Parts


class _Wish:
    """A thread of the pool wants something emitted, and waits for that."""

    def __init__(self, job: Job, port: str, value: Any) -> None:
        self.job = job
        self.port = port
        self.value = value
        self._error: Optional[BaseException] = None
        self._answered = threading.Lock()
        self._answered.acquire()

    def answer(self, error: Optional[BaseException] = None) -> None:
        """It has been emitted, or cannot be."""
        self._error = error
        self._answered.release()

    def wait(self) -> None:
        """For the answer."""
        self._answered.acquire()
        if self._error is not None:
            raise self._error


class Threaded:
    """Runs one replica of a stage or sink in several threads."""

    def __init__(self, parts: Parts, *, pool: Any, lanes: int) -> None:
        """``pool``: as ``Pool``, with ``lanes`` threads."""
        self._exchange = parts.exchange
        self._emitter = parts.emitter
        self._handler = parts.handler
        self._is_sink = parts.is_sink
        self._words = parts.words
        self._context = parts.context
        self._pool = pool
        self._hand = Hand(parts, lanes=lanes, put=self._put, is_sure=True)
        self._main = threading.get_ident()
        self._heard: Deque[Callable[[], None]] = deque()
        """What threads have to say; each is called by the main thread."""
        self._waiting: Deque[Callable[[], None]] = deque()
        """What is to be emitted as soon as there is room."""

    def run(self) -> None:
        """Until it is drained.

        Raises:
            Stopped: it was told to end.
        """
        exchange = self._exchange
        with self._context.crowded():
            while True:
                self._look()
                if self._hand.is_empty and exchange.stopping:
                    raise Stopped
                if self._hand.is_over:
                    return
                exchange.turn()

    def _look(self) -> None:
        while self._heard:
            self._heard.popleft()()
        self._emit_waiting()
        for job, value in self._hand.take():
            self._hand.begin(job)
            self._pool.do(self._live, job, value)

    def _emit_waiting(self) -> None:
        """As much as there is room for. (Who is stopped waits for none: its answer is that.)"""
        exchange, words = self._exchange, self._words
        while self._waiting and (exchange.has_room() or exchange.stopping):
            self._waiting.popleft()()
        blocked = words[page.BLOCKED]
        if self._waiting and not blocked:
            words[page.BLOCKED] = time.monotonic_ns()
        elif blocked and not self._waiting:
            words[page.WAITED] += max(0, time.monotonic_ns() - blocked)
            words[page.BLOCKED] = 0

    # In a thread of the pool -------------------------------------------------------------------------------

    def _live(self, job: Job, value: Any) -> None:
        """User code, from its beginning to its end."""
        result, error = None, None
        try:
            result = self._handler.begin(value, job.context)
            del value
            if self._handler.yields and result is not None:
                values, result = result, None
                self._emit_many(job, values)
        except BaseException as raised:
            error = raised
            if not isinstance(raised, Stopped):
                job.fail(raised)
        self._say(lambda: self._end(job, result, error))

    def _emit_many(self, job: Job, values: Any) -> None:
        for value in values:
            if value is not None and not self._is_sink:
                job.context.emit("", value)

    def _put(self, job: Job, port: str, value: Any) -> None:
        """``ctx.emit`` of an item: the main thread does it, and this one waits until it has been done."""
        if threading.get_ident() == self._main:  # a test has no other
            if self._emit(job, port, value):
                self._exchange.pump()
            return
        wish = _Wish(job, port, value)
        self._say(lambda: self._hear(wish))
        wish.wait()

    def _say(self, call: Callable[[], None]) -> None:
        """Have the main thread call that, wherever it waits."""
        self._heard.append(call)
        self._exchange.guard.knock()

    # In the main thread ------------------------------------------------------------------------------------

    def _hear(self, wish: _Wish) -> None:
        if self._exchange.sender.full:
            self._hand.pause(wish.job)
        self._waiting.append(lambda: self._grant(wish))

    def _grant(self, wish: _Wish) -> None:
        self._hand.resume(wish.job)
        error: Optional[BaseException] = Stopped() if self._exchange.stopping else None
        try:
            if error is None:
                self._emit(wish.job, wish.port, wish.value)
        except BaseException as refused:
            error = refused
        wish.answer(error)

    def _emit(self, job: Job, port: str, value: Any) -> bool:
        context = job.context
        return self._emitter.emit(port, value, context.inbound, context.id, context.children)  # type: ignore[no-any-return]

    def _end(self, job: Job, result: Any, error: Optional[BaseException]) -> None:
        self._hand.end(job)
        if isinstance(error, Stopped):
            self._hand.drop(job)
        elif error is not None:
            self._hand.finish(job)
        elif result is None or self._is_sink:
            self._answer(job, None)
        else:
            self._waiting.append(lambda: self._out(job, result))

    def _out(self, job: Job, result: Any) -> None:
        if self._exchange.stopping:
            self._hand.drop(job)
            return
        self._answer(job, result)

    def _answer(self, job: Job, result: Any) -> None:
        try:
            self._hand.answer(job, result)
        except BaseException as error:
            job.fail(error)
        self._hand.finish(job)
