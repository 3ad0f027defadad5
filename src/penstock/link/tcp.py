"""The ZeroMQ sockets that reach other hosts. What ``sockets`` is within a host, this is between two.

One key belongs to the whole run: its public half is what a sender shows and what it lets in, so whoever has
the secret half belongs to the run. It travels by the closed control channel alone.

A peer may vanish without a word. TCP is asked whether it is there (keep-alive, and a limit to what may stay
unacknowledged), as that counts every byte that gets through. ZMTP's heartbeats count whole messages: with a
short limit, on a slow line, a large array would end the connection that is carrying it, again and again. And
libzmq up to 4.3.5 aborts the process when one is due on a connection that was reset while its reader had no
room.
"""

from __future__ import annotations

import os
import struct
import time
from typing import Any, Callable, List, Optional, Tuple

import zmq
from zmq.utils import z85

from penstock.errors import EnvironmentFault, PeerError
from penstock.link.sockets import Context, Dealer, Router, Socket
from penstock.message.envelope import MAX_ENVELOPE
from penstock.security.gate import judge
from penstock.security.keys import Trusted

GIVEN_UP = 2_000
"""ms without a sign of life after which a connection counts as cut."""
CONNECTING = 1_500
"""ms that one attempt to connect may take. The name is looked up anew for each: a peer may have moved."""
RETRY, RETRY_LAST = 50, 800
"""ms between two attempts; they double. With ``CONNECTING``, a peer is found within 3 s of its return."""
UNANSWERED = 4.0
"""Seconds without a connection after which people are told: longer than it takes to find who is back."""
SHAKING_HANDS = 10_000
"""ms that a peer may take to show its key."""
ZAP = "inproc://zeromq.zap.01"
_EVENT = struct.Struct("=HI")

Curve = Tuple[str, str]
"""The run's key: public and secret, in Z85."""


def listen(
    context: Context, endpoint: str, curve: Optional[Curve], *, largest: int = MAX_ENVELOPE + 16
) -> Tuple[Router, str]:
    """A ROUTER that other hosts reach, and where. ``endpoint`` may name several ports, ``tcp://lo:7800-7809``:
    one of them that is free. ``largest``: bytes of a frame, above which its sender is hung up on.

    Raises:
        EnvironmentFault: the address cannot be had, or it is open to others and there is no key.
    """
    if curve is None and not _is_near(endpoint):
        raise EnvironmentFault(f"{endpoint} is open to other machines, and this run has no key")
    socket = _tuned(context.plain(zmq.ROUTER), curve)
    socket.setsockopt(zmq.IPV6, int("[" in endpoint))
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # who comes again may be here before its old connection is gone
    socket.setsockopt(zmq.MAXMSGSIZE, largest)
    if curve is not None:
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.ZAP_DOMAIN, b"run")
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    for place in _places(endpoint):
        error = _bound(socket, place)
        if error is None or error.errno != zmq.EADDRINUSE:
            break
    if error is not None:
        more = "; say more of them with --ports" if "-" in endpoint else ""
        raise EnvironmentFault(f"cannot listen at {endpoint}: {error}{more}") from None
    return Router(socket), socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()


def _places(endpoint: str) -> List[str]:
    """Where to try. Not every worker begins with the first port: one that takes the place of another should
    not be met by those who still look for that."""
    place, _, ports = endpoint.rpartition(":")
    first, dash, last = ports.partition("-")
    if not dash:
        return [endpoint]
    count = int(last) - int(first) + 1
    return [f"{place}:{int(first) + (os.getpid() + at) % count}" for at in range(count)]


def _bound(socket: Any, endpoint: str) -> Optional[zmq.ZMQError]:
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        return error
    return None


def dial(context: Context, endpoint: str, identity: bytes, curve: Optional[Curve]) -> Tuple[Dealer, Watch]:
    """A DEALER to a sender of another host, and what tells of its connections.

    Raises:
        PeerError: that is no address, or it is open to others and there is no key.
    """
    if curve is None and not _is_near(endpoint):
        raise PeerError(f"a sender at {endpoint}, and this run has no key")
    socket = _tuned(context.plain(zmq.DEALER), curve)
    socket.setsockopt(zmq.IDENTITY, identity)
    socket.setsockopt(zmq.IPV6, 1)  # of a name, either kind of address will do
    socket.setsockopt(zmq.CONNECT_TIMEOUT, CONNECTING)
    socket.setsockopt(zmq.RECONNECT_IVL, RETRY)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, RETRY_LAST)
    if curve is not None:
        socket.setsockopt(zmq.CURVE_SERVERKEY, curve[0].encode())
    watch = Watch(socket)
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise PeerError(f"a sender at {endpoint!r}, which is no address: {error}") from None
    return Dealer(socket), watch


def _tuned(socket: Any, curve: Optional[Curve]) -> Any:
    for option, value in (
        (zmq.TCP_KEEPALIVE, 1),
        (zmq.TCP_KEEPALIVE_IDLE, 1),
        (zmq.TCP_KEEPALIVE_INTVL, 1),
        (zmq.TCP_KEEPALIVE_CNT, GIVEN_UP // 1000 - 1),
        (zmq.TCP_MAXRT, GIVEN_UP),
        (zmq.HANDSHAKE_IVL, SHAKING_HANDS),
    ):
        socket.setsockopt(option, value)
    if curve is not None:
        if not zmq.has("curve"):
            raise EnvironmentFault("this pyzmq was built without CURVE; install one from a wheel")
        socket.setsockopt(zmq.CURVE_PUBLICKEY, curve[0].encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, curve[1].encode())
    return socket


def _is_near(endpoint: str) -> bool:
    """Whether only this machine can be at the other end."""
    host = endpoint.partition("://")[2].rpartition(":")[0]
    return host in {"localhost", "[::1]", "lo"} or host.startswith("127.")


class Watch(Socket):
    """Counts the connections of a socket, and knows since when it has none."""

    def __init__(self, socket: Any) -> None:
        events = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        events |= zmq.EVENT_DISCONNECTED | zmq.EVENT_CONNECT_RETRIED
        super().__init__(socket.get_monitor_socket(events))
        self._socket = socket
        self._alone: Optional[float] = time.monotonic()
        """Since when nobody is at the other end."""
        self.connections = 0
        """That there have been."""

    @property
    def unanswered(self) -> bool:
        """Whether it tries for too long."""
        return self._alone is not None and time.monotonic() - self._alone > UNANSWERED

    def look(self) -> int:
        """Take what it has to tell: how many connections there were since the last look.

        Raises:
            PeerError: the other end does not let us in.
        """
        found = 0
        while (frames := self.frames()) is not None:
            event = _EVENT.unpack(frames[0])[0]
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                raise PeerError("the other end does not know our key")
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                found += 1
                self._alone = None
            elif self._alone is None:
                self._alone = time.monotonic()
        self.connections += found
        return found

    def close(self) -> None:
        """No more is told."""
        self._socket.disable_monitor()


class Gate(Socket):
    """Answers who is let in, for all sockets of a context; served like any other socket of its worker. (So a
    connection waits while user code holds the GIL. A thread of its own would wait for that, too.)"""

    def __init__(self, context: Context, curve: Curve) -> None:
        socket = context.plain(zmq.REP)
        socket.bind(ZAP)
        super().__init__(socket)
        key, run = z85.decode(curve[0].encode()), Trusted("worker", curve[0], "this-run")
        self._judge: Callable[[List[bytes]], Any] = lambda request: judge(
            request, lambda _, public: run if public == key else None
        )

    def serve(self) -> bool:
        """Answer the next one that asks, if there is one.

        Raises:
            PeerError: it was not let in.
        """
        request = self.frames()
        if request is None:
            return False
        verdict = self._judge([bytes(frame) for frame in request])
        self.raw.send_multipart(verdict.answer)
        if verdict.refusal:
            raise PeerError(f"{verdict.refusal} (it was not let in)")
        return True
