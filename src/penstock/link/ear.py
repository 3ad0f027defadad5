"""Waits on files, with as little as can be: calls are all waiting.

What waits on the ear's own file, as a loop of asyncio does, waits on all of them: it can be read for as long
as one of them has something. So each of them must be readable for as long as there is something to take
(ZeroMQ's are not: they tell of a change once).
"""

from __future__ import annotations

import select
from typing import Callable, Dict, Mapping, Optional

Call = Callable[[], object]

LONGEST = 3600.0
"""Seconds of one wait: milliseconds are a C int. Whoever waits looks at the time again anyway."""
FEW = 16
"""Files that are told of at once; the others come next."""


class Ear:
    """On any number of files."""

    def __init__(self, files: Mapping[int, Call]) -> None:
        """``files``: what to do when one of those can be read."""
        self._calls: Dict[int, Call] = {}
        self._epoll = select.epoll()
        self._wait = self._epoll.poll
        for file, call in files.items():
            self.listen(file, call)

    def fileno(self) -> int:
        """Can be read while ``turn`` has something to do."""
        return self._epoll.fileno()

    def listen(self, file: int, call: Call) -> None:
        """From now on, do ``call`` whenever that file can be read."""
        self._calls[file] = call
        self._epoll.register(file, select.EPOLLIN)

    def want_room(self, file: int, want: bool) -> None:  # noqa: FBT001  what it says
        """Do its call also when it can be written; or no longer."""
        self._epoll.modify(file, select.EPOLLIN | select.EPOLLOUT if want else select.EPOLLIN)

    def dismiss(self, file: int) -> None:
        """No longer; before it is closed."""
        if self._calls.pop(file, None) is not None:
            self._epoll.unregister(file)

    def turn(self, timeout: Optional[float]) -> bool:
        """Wait until something can be read and do what is then to be done; at most ``timeout`` seconds
        (None: for ever). Whether something was there.
        """
        if timeout is not None and timeout > LONGEST:
            timeout = LONGEST
        ready = self._wait(timeout, FEW)
        for file, _ in ready:
            do = self._calls.get(file)
            if do is not None:
                do()
        return bool(ready)

    def close(self) -> None:
        """Wait for nothing any more. (Nothing is unregistered: after a fork that would be the parent's.)"""
        self._calls.clear()
        self._epoll.close()
