"""In whoever calls services: one thread at a time has the socket, also while another waits on it.

Whoever waits for messages does so with the lock held, and would keep it for as long as nothing comes. So who
finds it taken knocks, which ends that wait; and who was disturbed lets go, and takes it back only when the
other has had it.
"""

from __future__ import annotations

import os
import threading
from typing import Any


class Turnstile:
    """``with`` it the socket is ours."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gate = threading.Lock()
        self.wake_fd, self._knock = os.pipe()
        """Readable while somebody wants to have the lock."""
        os.set_blocking(self.wake_fd, False)
        os.set_blocking(self._knock, False)

    def __enter__(self) -> None:
        self.enter()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def enter(self) -> None:
        """Wait until it is ours."""
        if self.enter_free():
            return
        with self._gate:
            self.knock()
            self._lock.acquire()

    def enter_free(self) -> bool:
        """Have it if nobody else has, nor oneself."""
        return self._lock.acquire(False)

    def leave(self) -> None:
        """Let others have it."""
        self._lock.release()

    def knock(self) -> None:
        """End the wait of whoever has it."""
        try:
            os.write(self._knock, b"!")
        except BlockingIOError:
            pass  # it can be read already

    def hear(self) -> None:
        """Somebody has knocked, and has to wait; after that, ``remind``."""
        try:
            os.read(self.wake_fd, 4096)
        except BlockingIOError:
            pass

    def remind(self) -> None:
        """Knock for who waits, lest another is before him and keeps it."""
        if self._gate.locked():
            self.knock()

    def give_way(self) -> None:
        """Somebody has knocked: let those have it who want to, and take it back. Only of who has it while all
        others just come and go; else one of them may keep it."""
        self.hear()
        self._lock.release()
        try:
            with self._gate:
                pass
        finally:  # also after Ctrl-C
            self._lock.acquire()

    def __del__(self, close: Any = os.close) -> None:
        # Not before: what is forgotten late still knocks (``Caller.abandon``).
        close(self.wake_fd)
        close(self._knock)
