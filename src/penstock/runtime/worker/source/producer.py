"""In the worker of a source: the loop that asks user code for the next item."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Callable, Iterator, Optional, Tuple

from penstock.link.outbox import Feed
from penstock.observe import page
from penstock.runtime.worker import handler
from penstock.runtime.worker.channel import SupervisorLost
from penstock.runtime.worker.emitter import Emitter
from penstock.runtime.worker.exchange import Exchange, Stopped
from penstock.runtime.worker.handler import Handler
from penstock.runtime.worker.source.resumption import Resumption


class Interrupted(BaseException):
    """The pipeline drains: unwinds a source that waits in ``next()``."""


class Producer:
    """Runs one replica of a source."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        emitter: Emitter,
        handler: Handler,
        words: Any,
        origin: str,
        resumption: Optional[Resumption],
        begin: Callable[[], None],
    ) -> None:
        """``origin``: the first part of the ids of its items. ``resumption``: where it takes ``start``.
        ``begin()`` is called when it is known from where it begins."""
        self._begin = begin
        self._resumption = resumption
        self._exchange = exchange
        self._emitter = emitter
        self._handler = handler
        self._words = words
        self._origin = origin
        self._code: Any = None

    def run(self) -> Optional[BaseException]:
        """Until it is exhausted, or the pipeline drains; what it raised, if it did."""
        guard = self._exchange.guard
        made: Any = None
        self._words[page.STARTED] = time.monotonic_ns()
        guard.leave()
        try:
            made = self._iterate()
            self._begin()
            self._allow_interrupts(made)
            self._loop(made)
        except (Stopped, SupervisorLost):
            raise
        except Interrupted:
            pass
        except BaseException as error:
            return error
        finally:
            self._exchange.interruptible = False
            self._close(made)
            guard.enter()
            self._words[page.STARTED] = 0
        return None

    def _iterate(self) -> Iterator[Any]:
        if self._resumption is None:
            return self._handler.iterate()
        return self._handler.iterate(**self._resumption.start())

    def _feeder(self) -> Tuple[Feed, Callable[[], int]]:
        if self._resumption is None:
            return self._emitter.feeder(self._origin)
        return self._resumption.feeder(self._emitter)

    def _loop(self, made: Iterator[Any]) -> None:
        exchange, words = self._exchange, self._words
        feed, fed = self._feeder()
        try:
            if exchange.paused:
                exchange.until_resumed()
            while feed(made):
                words[page.ITEMS] = fed()
                exchange.pump()
                if exchange.paused:
                    exchange.until_resumed()
                if exchange.draining:
                    break
        finally:
            words[page.ITEMS] = fed()

    def _allow_interrupts(self, made: Any) -> None:
        """Only a generator can be interrupted safely: its frame shows whether it holds an item or waits."""
        frame = getattr(made, "gi_frame", None)
        if frame is not None and threading.current_thread() is threading.main_thread():
            self._code = frame.f_code
            signal.signal(signal.SIGTERM, self._on_sigterm)
            self._exchange.interruptible = True

    def _on_sigterm(self, number: int, frame: Optional[FrameType]) -> None:
        """Raise only inside the user's generator: an item it has yielded is in our hands, not in its."""
        if not self._exchange.draining:  # not from us: somebody wants this process to end
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        while frame is not None and frame.f_globals.get("__name__") != __name__:
            if frame.f_code is self._code:
                raise Interrupted
            frame = frame.f_back

    def _close(self, made: Any) -> None:
        """Let a generator run its ``finally`` blocks."""
        close = getattr(made, "close", None)
        if close is not None:
            try:
                close()
            except Exception as error:
                sys.stderr.write(handler.user_traceback(error))
