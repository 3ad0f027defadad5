"""What happens to a socket's connections, as typed events in the log: ZeroMQ itself says nothing, and tries
for ever.

A thread for each socket sleeps at its monitor; it ends with the socket. The record of an event has it as
``record.event``.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import threading
from dataclasses import dataclass
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from penstock.patterns.tuning import milliseconds

log = logging.getLogger("penstock.patterns.monitor")
_numbers = itertools.count()
BEATS = 3
"""Signs of life, the third of which may not be missed."""


@dataclass(frozen=True, slots=True)
class SocketEvent:
    """Something that happened to a socket."""

    socket: str
    """Its kind and endpoints."""
    endpoint: str
    """Where it happened."""


class Listening(SocketEvent):
    """It is bound: others find it there."""


class Connected(SocketEvent):
    """A peer is there, and has shown its key where there are keys."""


class Disconnected(SocketEvent):
    """A peer is gone."""


@dataclass(frozen=True, slots=True)
class Retrying(SocketEvent):
    """Nobody is there yet, or any more; it is tried again."""

    after: float
    """Seconds from now."""


@dataclass(frozen=True, slots=True)
class Refused(SocketEvent):
    """A connection was given up before anything was said: other keys, or another protocol."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed(SocketEvent):
    """A connection could not be taken."""

    why: str


_LEVELS = {
    Refused: logging.WARNING,
    Failed: logging.WARNING,
    Listening: logging.DEBUG,
    Retrying: logging.DEBUG,
}
_PLAIN = {
    zmq.EVENT_LISTENING: Listening,
    zmq.EVENT_HANDSHAKE_SUCCEEDED: Connected,
    zmq.EVENT_DISCONNECTED: Disconnected,
}
_REFUSED = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "its key is not trusted",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "it does not speak as we do: with keys, or without, or no ZeroMQ",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "it ended while the connection was made",
}
_FAILED = (zmq.EVENT_ACCEPT_FAILED,)
"""Not BIND_FAILED: that is raised where it was tried; and to be told of it here would change the errno
there."""
_ALL = (*_PLAIN, *_REFUSED, *_FAILED, zmq.EVENT_CONNECT_RETRIED, zmq.EVENT_MONITOR_STOPPED)


def read(name: str, kind: int, value: int, endpoint: str) -> SocketEvent | None:
    """The event that ZeroMQ tells with a number and a value; None: nothing to tell."""
    if kind in _PLAIN:
        return _PLAIN[zmq.Event(kind)](name, endpoint)
    if kind in _REFUSED:
        return Refused(name, endpoint, _REFUSED[zmq.Event(kind)])
    if kind in _FAILED:
        return Failed(name, endpoint, os.strerror(value))
    if kind == zmq.EVENT_CONNECT_RETRIED:
        return Retrying(name, endpoint, value / 1000)
    return None


def watch(context: zmq.Context[Any], socket: Any, name: str) -> None:
    """Log what happens to ``socket`` until it is closed."""
    place = f"inproc://penstock.monitor.{next(_numbers)}"
    socket.monitor(place, sum(_ALL))
    ear = context.socket(zmq.PAIR)
    ear.linger = 0
    ear.connect(place)
    threading.Thread(target=_listen, args=(ear, name), name="penstock-monitor", daemon=True).start()


def _listen(ear: Any, name: str) -> None:
    refused = 0
    with ear:
        while True:
            try:
                said = recv_monitor_message(ear)
            except zmq.ZMQError:
                return  # the context ends
            if said["event"] == zmq.EVENT_MONITOR_STOPPED:
                return
            event = read(name, said["event"], said["value"], said["endpoint"].decode("utf-8", "replace"))
            refused += isinstance(event, Refused)
            if isinstance(event, Refused) and refused & (refused - 1):
                continue  # told are the 1st, 2nd, 4th, 8th ...: a flood is not to fill the log
            if event is not None:
                log.log(_LEVELS.get(type(event), logging.INFO), "%s", event, extra={"event": event})


def signs_of_life(every: float) -> dict[int, int]:
    """TCP is asked for them, by the kernel. ZMTP's own heartbeats are not used: libzmq up to 4.3.5 aborts the
    process when one is due on a connection that was reset while its reader had no room (an assertion in
    ``stream_engine_base``), so whoever is slow could be killed by any peer, and by anybody on the way."""
    seconds = max(1, math.ceil(every))
    return {
        zmq.TCP_KEEPALIVE: 1,
        zmq.TCP_KEEPALIVE_IDLE: seconds,
        zmq.TCP_KEEPALIVE_INTVL: seconds,
        zmq.TCP_KEEPALIVE_CNT: BEATS - 1,
        zmq.TCP_MAXRT: milliseconds(BEATS * every),
    }
