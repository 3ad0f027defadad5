"""Every ZeroMQ socket penstock has. The only module here that knows pyzmq; its errors become ours.

Defaults that are never left to ZeroMQ: LINGER is bounded, ROUTER_MANDATORY is on (an unknown peer is
an error, not silence), MAXMSGSIZE is set. Sockets are used by one thread at a time; who may use them is
the business of the worker's lock.
"""

from __future__ import annotations

import threading
from typing import Any, List, Optional, Sequence

import zmq

LINGER = 2000
"""ms that closing waits for what has been said already."""

MAX_MESSAGE = 1 << 33
"""Bytes; above, libzmq drops the peer. (An array that found no room in shared memory is one frame.)"""

FOREVER = -1


class Context:
    """The ZeroMQ context of one process; made after the process has started, never inherited."""

    def __init__(self) -> None:
        self._context = zmq.Context()

    def router(self, endpoint: str) -> Router:
        """A bound ROUTER.

        Raises:
            OSError: the endpoint cannot be bound.
        """
        socket = self._socket(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.bind(endpoint)
        return Router(socket)

    def dealer(self, endpoint: str, identity: bytes) -> Dealer:
        """A DEALER that connects, now or as soon as the other side is there."""
        socket = self._socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, identity)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        socket.connect(endpoint)
        return Dealer(socket)

    def close(self, within: float = LINGER / 1000 + 0.5) -> None:
        """Close all. Even with a bounded LINGER ``term`` can hang (zeromq/libzmq#2586), so not in this thread."""
        closer = threading.Thread(target=self._context.destroy, kwargs={"linger": LINGER}, daemon=True)
        closer.start()
        closer.join(within)

    def _socket(self, kind: int) -> Any:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, LINGER)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        return socket


class _Socket:
    """What ROUTER and DEALER share."""

    def __init__(self, socket: Any) -> None:
        self.raw = socket
        """For ``wait``."""

    def receive(self) -> Optional[List[Any]]:
        """The frames of the next message, or None. From the third on (fourth at a ROUTER) they are
        large and not copied."""
        if not self.raw.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            return None
        receive, more = self.raw.recv, self.raw.getsockopt
        frames: List[Any] = [receive(zmq.NOBLOCK)]
        while more(zmq.RCVMORE):
            frames.append(receive(zmq.NOBLOCK) if len(frames) < 3 else receive(zmq.NOBLOCK, copy=False).buffer)
        return frames

    def _send(self, frames: Sequence[Any]) -> bool:
        last = len(frames) - 1
        send = self.raw.send
        try:
            for number, frame in enumerate(frames):
                send(frame, zmq.NOBLOCK if number == last else zmq.NOBLOCK | zmq.SNDMORE, copy=number < 3)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                return False
            raise
        return True

    def close(self) -> None:
        """Say what has been said; take nothing more."""
        self.raw.close(LINGER)


class Router(_Socket):
    """The sender's end: each message names its peer first."""

    def send(self, peer: bytes, frames: Sequence[Any]) -> bool:
        """Whether ``peer`` is there and has room."""
        return self._send((peer, *frames))


class Dealer(_Socket):
    """The receiver's end of one connection."""

    def send(self, frames: Sequence[Any]) -> bool:
        """Whether there is room."""
        return self._send(frames)


def wait(sockets: Sequence[_Socket], files: Sequence[int], timeout: Optional[float]) -> List[Any]:
    """Block until a socket or a file can be read, or ``timeout`` seconds (None: for ever) have passed.
    Answers the raw sockets and file numbers that can be read."""
    wanted = [(socket.raw, zmq.POLLIN) for socket in sockets]
    wanted += [(file, zmq.POLLIN) for file in files]
    milliseconds = FOREVER if timeout is None else max(0, int(timeout * 1000 + 0.999))
    return [ready for ready, _ in zmq.zmq_poll(wanted, milliseconds)]
