"""Waits on one ZeroMQ socket and on files, with as little as can be: calls are all waiting.

``zmq_poll`` looks at all of them, waits, and looks again, which is two system calls more than to wait on the
socket's own file would be. But that file tells of a change once only, so one would have to look before each
wait and after it; and from Python either look takes longer (5 to 9 us, nearly all of it pyzmq's) than these
two calls. With an exception where nothing is there, it takes 14.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional

from penstock.link.sockets import Socket, wait, wanted

Call = Callable[[], object]


class Ear:
    """On one socket: ``take()`` takes one message of it."""

    def __init__(self, socket: Socket, take: Call, files: Mapping[int, Call]) -> None:
        """``files``: what to do when one of those can be read."""
        self._calls: Dict[Any, Call] = {socket.raw: take, **files}
        self._wanted = wanted(self._calls)

    def listen(self, file: int, call: Call) -> None:
        """From now on, do ``call`` whenever that file can be read."""
        self._calls[file] = call
        self._wanted = wanted(self._calls)

    def dismiss(self, file: int) -> None:
        """No longer."""
        del self._calls[file]
        self._wanted = wanted(self._calls)

    def turn(self, timeout: Optional[float]) -> bool:
        """Wait until something can be read and do what is then to be done; at most ``timeout`` seconds
        (None: for ever). Whether something was there.
        """
        ready = wait(self._wanted, timeout)
        for each, _ in ready:
            do = self._calls.get(each)
            if do is not None:
                do()
        return bool(ready)
