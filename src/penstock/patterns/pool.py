"""A replier that answers several at once: one thread has the socket, some others the handler.

A request goes to a thread that has nothing to do, in the order they came: not in turn, where a slow one
would hold up those behind it.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from penstock.errors import PeerError, TimedOut, UserError
from penstock.patterns import frames
from penstock.patterns.frames import Ended, Watch
from penstock.patterns.inquiry import Clerk, Inquiry, apology, read
from penstock.patterns.tuning import Tuning
from penstock.patterns.wire import Wire
from penstock.security.curve import Curve

log = logging.getLogger("penstock.patterns")


class ReplierPool:
    """Answers requests with what ``handler`` makes of them, as many at once as it has threads."""

    def __init__(
        self,
        endpoint: str,
        handler: Callable[..., Any],
        *,
        threads: int = 4,
        of: Any = None,
        curve: Curve | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        """Nothing is opened before ``start``, or ``with``.

        Args:
            endpoint: Where it is bound.
            handler: Called in one of the threads; what it raises is logged, and raised where it was asked.
                One that has a parameter ``sender`` is told who asks: a ``Sender``, or None without ``curve``.
            threads: How many requests are answered at once.
            of: What each request is to be; one that is not is answered with an error.
            curve: As of sockets.
            tuning: The finer settings. ``hwm`` bounds the requests that wait here, too.

        Raises:
            UserError: there would be no thread.
        """
        if threads < 1:
            raise UserError(f"threads={threads!r}: a pool has at least one")
        self._endpoint, self._curve, self._tuning = endpoint, curve, tuning or Tuning()
        self._clerks = [Clerk(handler, of) for _ in range(threads)]
        self._waiting: queue.SimpleQueue[Inquiry | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[list[bytes]] = queue.SimpleQueue()
        self._opened = threading.Event()
        self._stopping = False
        self._taken = 0
        self._error: BaseException | None = None
        self._front: threading.Thread | None = None
        self.answered = 0
        """Requests so far."""
        self.endpoint = ""
        """Where it is, once it is started."""

    def start(self) -> Self:
        """Open it; when this returns, it answers.

        Raises:
            UserError: it cannot be bound.
        """
        self._woken, self._wake = os.pipe()
        self._pid = os.getpid()
        self._front = threading.Thread(target=self._live, name="penstock-pool", daemon=True)
        self._front.start()
        self._opened.wait()
        if self._error is not None:
            self._finish()
            raise self._error
        return self

    def stop(self) -> int:
        """Take nothing new, answer what was taken, and close; how many were answered. Again, it is
        nothing."""
        if self._front is not None and self._pid == os.getpid():  # a fork's child has the parent's pipe
            self._stopping = True
            os.write(self._wake, b"!")
            self._finish()
        return self.answered

    def _finish(self) -> None:
        assert self._front is not None
        self._front.join()
        self._front = None
        os.close(self._woken)
        os.close(self._wake)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # -------------------------------------------------------------------- the thread with the socket

    def _live(self) -> None:
        wire: Wire | None = None
        try:
            wire = Wire(
                "ReplierPool", "ROUTER", binds=True, timeout=0, curve=self._curve, tuning=self._tuning
            )
            wire.open([self._endpoint])
            self.endpoint = wire.endpoints[0]
            workers = [
                threading.Thread(target=self._work, args=(clerk,), daemon=True) for clerk in self._clerks
            ]
            for worker in workers:
                worker.start()
        except BaseException as error:  # noqa: BLE001  it is raised where it was started
            self._error = error
        self._opened.set()
        if self._error is None and wire is not None:
            with suppress(Ended):
                self._serve(wire)
            for _ in workers:
                self._waiting.put(None)
            for worker in workers:
                worker.join()
        if wire is not None:
            wire.close()

    def _serve(self, wire: Wire) -> None:
        """Until it is told to stop, and all that was taken is answered."""
        while not self._stopping or self._taken > self.answered:
            room = not self._stopping and self._taken - self.answered < (self._tuning.hwm or 1 << 30)
            if self._woken in frames.wait([Watch(wire, True)] if room else [], self._woken):
                os.read(self._woken, 4096)
            if room:
                self._take(wire)
            self._give(wire)

    def _take(self, wire: Wire) -> None:
        request = frames.take(wire)
        if request is None:
            return
        inquiry = read(request)
        if inquiry is None:
            log.warning("%s has left out a request without an envelope", wire)
            return
        self._taken += 1
        self._waiting.put(inquiry)

    def _give(self, wire: Wire) -> None:
        while True:
            try:
                answer = self._answers.get_nowait()
            except queue.Empty:
                return
            self.answered += 1
            try:
                wire.put(answer, 0)
            except (PeerError, TimedOut):
                log.info("%s: who asked is gone, or takes no answer", wire)

    # ------------------------------------------------------------------ the threads with the handler

    def _work(self, clerk: Clerk) -> None:
        while (inquiry := self._waiting.get()) is not None:
            try:
                answer = clerk.answer(inquiry, clerk.call(inquiry))
            except BaseException as error:  # noqa: BLE001  one that exits, too: this thread is to answer others
                answer = apology(inquiry, error)
            self._answers.put(answer)
            os.write(self._wake, b".")
