"""In the worker of a group: the jobs it was given and has not begun. One thread fills it, the main thread
empties it."""

from __future__ import annotations

import threading
from collections import deque
from typing import Deque, List, Optional

from penstock.runtime.jobwire import Work


class Inbox:
    """A queue that can be closed, and from which things can be taken back."""

    def __init__(self) -> None:
        self._waiting: Deque[Work] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, work: Work) -> bool:
        """One more, for later; ``False``: it is closed."""
        with self._changed:
            if not self._closed:
                self._waiting.append(work)
                self._changed.notify()
            return not self._closed

    def take(self) -> Optional[Work]:
        """The next, once there is one; ``None``: it is closed."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            return None if self._closed else self._waiting.popleft()

    def remove(self, id: str) -> List[Work]:
        """That one, if it still waits."""
        with self._changed:
            found = [work for work in self._waiting if work.id == id]
            self._waiting = deque(work for work in self._waiting if work.id != id)
            return found

    def clear(self) -> List[Work]:
        """All of them."""
        with self._changed:
            found = list(self._waiting)
            self._waiting.clear()
            return found

    def close(self) -> None:
        """Nothing more is begun."""
        with self._changed:
            self._closed = True
            self._changed.notify()
