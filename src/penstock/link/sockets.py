"""Every ZeroMQ socket that links have within a host (``tcp`` has those between hosts). Only these two know
pyzmq; its errors become ours.

Defaults that are never left to ZeroMQ: LINGER is bounded, ROUTER_MANDATORY is on (an unknown peer is an
error, not silence), MAXMSGSIZE is set, and there is no high-water mark: credit bounds what is on its way,
and a mark below a receiver's window would have the sender take it for dead. Sockets are used by one thread
at a time; who may use them is the business of the worker's lock.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import zmq

LINGER = 2000
"""ms that closing waits for what has been said already."""

MAX_MESSAGE = 1 << 33
"""Bytes; above, libzmq drops the peer. (An array that found no room in shared memory is one frame.)"""

FOREVER = -1

Call = Callable[[], Any]
LONGEST = 3600.0
"""Seconds of one wait: milliseconds are a C int in pyzmq. Whoever waits looks at the time again anyway."""

# pyzmq's constants are enums: plain integers spare each call their conversion.
_NOBLOCK, _MORE, _POLLIN = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE), int(zmq.POLLIN)
_EVENTS = int(zmq.EVENTS)


class Context:
    """The ZeroMQ context of one process; made after the process has started, never inherited."""

    def __init__(self) -> None:
        self._context = zmq.Context()

    def router(self, endpoint: str) -> Router:
        """A bound ROUTER.

        Raises:
            OSError: the endpoint cannot be bound.
        """
        socket = self.plain(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.bind(endpoint)
        return Router(socket)

    def dealer(self, endpoint: str, identity: bytes) -> Dealer:
        """A DEALER that connects, now or as soon as the other side is there."""
        socket = self.plain(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, identity)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        socket.connect(endpoint)
        return Dealer(socket)

    def close(self, within: float = LINGER / 1000 + 0.5) -> None:
        """Close all; in another thread, as ``term`` can hang in spite of LINGER (zeromq/libzmq#2586)."""
        closer = threading.Thread(target=self._context.destroy, kwargs={"linger": LINGER}, daemon=True)
        closer.start()
        closer.join(within)

    def plain(self, kind: int) -> Any:
        """A socket of pyzmq's that is neither bound nor connected."""
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, LINGER)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        socket.set_hwm(0)
        return socket


class Socket:
    """What all of them share."""

    def __init__(self, socket: Any) -> None:
        self.raw = socket
        """For ``wait``."""

        self._receive = socket.recv
        self._put = super(zmq.Socket, socket).send  # type: ignore[misc]  # Any: that of its backend
        """Past the wrapper, which looks at options that are not used here: 0.5 us of 1."""

    def frames(self) -> Optional[List[Any]]:
        """The frames that have come, uncopied. (``Frame.more`` costs a third of asking the socket.)"""
        try:
            frame = self._receive(_NOBLOCK, copy=False)
        except zmq.Again:
            return None
        frames = [frame.buffer]
        while frame.more:
            frame = self._receive(_NOBLOCK, copy=False)
            frames.append(frame.buffer)
        return frames

    def descriptor(self) -> int:
        """A file that can be read when something *may* have changed, and only once: so look until there is
        nothing, also after each word that was sent."""
        found: int = self.raw.getsockopt(zmq.FD)
        return found

    @property
    def waits(self) -> bool:
        """Whether a message has come that nobody has taken."""
        return bool(self.raw.getsockopt(_EVENTS) & _POLLIN)

    def fileno(self) -> int:
        """A file that becomes readable when something has changed: then read until nothing is left."""
        return int(self.raw.getsockopt(zmq.FD))

    def close(self) -> None:
        """The peer is gone: what it has not taken is nobody's, and waiting for it would delay our own end."""
        self.raw.close(0)


class Router(Socket):
    """The sender's end: each message names its peer first."""

    def receive(self) -> Optional[Tuple[bytes, List[Any]]]:
        """The next message, if one is there: its peer, and its frames."""
        try:
            peer = self._receive(_NOBLOCK)
        except zmq.Again:
            return None
        return peer, self.frames() or []

    def send(self, peer: bytes, frame: bytes, arrays: Sequence[Any] = ()) -> bool:
        """Whether ``peer`` is there and has room. ``frame`` is copied by libzmq, ``arrays`` are not."""
        try:
            self._put(peer, _MORE)
            self._put(frame, _MORE if arrays else _NOBLOCK)
            for left, array in zip(range(len(arrays) - 1, -1, -1), arrays):
                self.raw.send(array, _MORE if left else _NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            return _not_now(error)
        return True

    def descriptors(self) -> List[int]:
        """The files of all its sockets: see ``descriptor``."""
        return [self.descriptor()]

    def lose(self, peer: bytes) -> None:
        """That peer has ended. Of those within a host nothing is kept that would have to go."""


class Dealer(Socket):
    """The receiver's end of one connection."""

    receive = Socket.frames

    def send(self, frame: bytes) -> bool:
        """Whether there is room."""
        try:
            self._put(frame, _NOBLOCK)
        except zmq.ZMQError as error:
            return _not_now(error)
        return True

    def say(self, first: bytes, second: bytes, arrays: Sequence[Any] = ()) -> bool:
        """The same, of two frames and of ``arrays``, which libzmq does not copy."""
        try:
            self._put(first, _MORE)
            self._put(second, _MORE if arrays else _NOBLOCK)
            for left, array in zip(range(len(arrays) - 1, -1, -1), arrays):
                self.raw.send(array, _MORE if left else _NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            return _not_now(error)
        return True


def wait(wanted: List[Tuple[Any, int]], timeout: Optional[float]) -> List[Tuple[Any, int]]:
    """Block until one of those (made by ``wanted``) can be read, or ``timeout`` seconds (None: for ever) have
    passed; which can, each with a number that means nothing."""
    milliseconds = FOREVER if timeout is None else max(0, int(min(timeout, LONGEST) * 1000 + 0.999))
    found: List[Tuple[Any, int]] = zmq.zmq_poll(wanted, milliseconds)
    return found


def wanted(ready: Iterable[Any]) -> List[Tuple[Any, int]]:
    """Raw sockets and the numbers of files, for ``wait``."""
    return [(each, _POLLIN) for each in ready]


def give_way() -> None:
    """Let libzmq's thread have this core, if it waits for it: the message is with that thread now, and what
    we still have to do would keep it there for the time of two messages."""
    os.sched_yield()


def _not_now(error: zmq.ZMQError) -> bool:
    """False for a peer that is not there or has no room; all else is raised."""
    if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
        raise error
    return False


def _nothing() -> None:
    """Of a file that only ends a wait."""


class Waiter:
    """Waits on sockets and files together, and knows who is to be called for each."""

    def __init__(self, files: Dict[int, Call]) -> None:
        """``files``: what to call when a file can be read, by its number."""
        self._files = files
        self._wanted: List[Tuple[Any, int]] = []
        self._calls: Dict[Any, Call] = {}
        self.watch({})

    def watch(self, sockets: Dict[Socket, Call]) -> None:
        """From now on, wait on these too."""
        self._calls = {socket.raw: call for socket, call in sockets.items()}
        self._calls.update(self._files)
        self._wanted = wanted(self._calls)

    def attend(self, file: int, expects: Callable[[], bool]) -> None:
        """From the next ``watch`` on, wait on that file too. ``expects`` is for waiters that are not real."""
        self._files[file] = _nothing

    def dismiss(self, file: int) -> None:
        """From the next ``watch`` on no longer."""
        self._files.pop(file, None)

    def ready(self, timeout: Optional[float]) -> List[Call]:
        """Block until something can be read, or ``timeout`` seconds (None: for ever) have passed; what is
        now to be called."""
        calls = self._calls
        return [calls[ready] for ready, _ in wait(self._wanted, timeout)]
