"""In the worker: a second thread that serves the sockets while user code takes its time.

A sender's duties never wait for user code: items held by a receiver that died must go out again,
settlements be taken, a drain be obeyed, though a handler computes for minutes or a source waits for an hour
in ``next()``.

One lock guards all sockets. The main thread holds it except inside user code. The steward sleeps while
the worker idles (parked, on an event) or is quick (it looks every 10 ms, in a crowd more seldom, and sees
that user code has moved on); when one piece of user code has run for a whole tick it takes the lock and
serves, until the main thread knocks. So there are never two threads in one socket, and no hand-over
between threads on the fast path: entering and leaving user code costs a lock that nobody else wants.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Callable

TICK = 0.010
"""Seconds that user code may run before the steward steps in."""
SHARE = 0.00025
"""Seconds more for each worker of the run: four thousand looks a second are enough for them all. (Of 120
workers on two cores the stewards alone took a good half of one core.)"""
PARK = 20
"""Ticks without user code after which the steward stops looking."""


def tick(workers: int) -> float:
    """Seconds between two looks of the steward in a run of so many workers."""
    return max(TICK, workers * SHARE)


class Guard:
    """The lock, who is in user code, and the steward."""

    def __init__(self, turn: Callable[[], None], tick: float = TICK) -> None:
        """``turn()`` waits until a socket or ``wake_fd`` can be read, and serves; it never runs user code.
        ``tick``: seconds that user code may run before the steward steps in."""
        self._turn = turn
        self._tick = tick
        self._lock = threading.Lock()
        self._lock.acquire()
        self._armed = threading.Event()
        self._inside = False
        self._passages = 0
        self.waiting = False
        """True while somebody blocks in ``turn``: then ``wake`` has an effect."""
        self.wake_fd, self._wake_write = os.pipe()
        os.set_blocking(self.wake_fd, False)
        os.set_blocking(self._wake_write, False)
        self._retired = False
        self._thread = threading.Thread(target=self._run, name="penstock-steward", daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """The main thread goes into user code."""
        self._passages += 1
        self._inside = True
        self._lock.release()
        if not self._armed.is_set():
            self._armed.set()

    def enter(self) -> None:
        """The main thread comes back."""
        self._inside = False
        if not self._lock.acquire(False):
            self.knock()
            self._lock.acquire()

    @property
    def in_user_code(self) -> bool:
        """Whether the main thread is there."""
        return self._inside

    def wake(self) -> None:
        """If somebody blocks in ``turn``, make it look around; from any thread, also from a weak
        reference's callback."""
        if self.waiting:
            self.knock()

    def knock(self) -> None:
        """Make ``wake_fd`` readable."""
        try:
            os.write(self._wake_write, b"!")
        except BlockingIOError:
            pass  # it is readable already

    def hear(self) -> None:
        """Take the knocks off ``wake_fd``."""
        try:
            os.read(self.wake_fd, 4096)
        except BlockingIOError:
            pass

    def retire(self) -> None:
        """No steward any more: there is nothing left to serve."""
        self._retired = True
        self._armed.set()

    def close(self) -> None:
        """Let go of all, for a process that lives on. There is no way back into user code."""
        self.retire()
        if self._inside:
            self.enter()
        self._lock.release()  # the steward may wait for it, to see that there is nothing to do
        self._thread.join()
        os.close(self.wake_fd)
        os.close(self._wake_write)

    def _run(self) -> None:
        while not self._retired:
            self._armed.wait()
            quiet = 0
            while quiet < PARK and not self._retired:
                passage = self._passages
                time.sleep(self._tick)
                if self._passages != passage:
                    quiet = 0
                elif self._inside:
                    self._serve(passage)
                    quiet = 0
                else:
                    quiet += 1
            self._armed.clear()
            if self._inside:  # it went in while we cleared, and saw the event still set
                self._armed.set()

    def _serve(self, passage: int) -> None:
        """Do the main thread's duties until it wants them back."""
        with self._lock:
            while self._inside and self._passages == passage and not self._retired:
                self._turn()
