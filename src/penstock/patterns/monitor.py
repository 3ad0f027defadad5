"""What happens to a socket's connections, as typed events in the log: ZeroMQ itself says nothing, and tries
for ever.

A thread for each socket sleeps at its monitor, and looks after its connections (``pulse``); it ends with the
socket. The record of an event has it as ``record.event``.
"""

from __future__ import annotations

import errno
import itertools
import logging
import math
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from penstock.patterns.pulse import BEATS, Pulse
from penstock.patterns.tuning import milliseconds

log = logging.getLogger("penstock.patterns.monitor")
_numbers = itertools.count()


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


class Silent(SocketEvent):
    """Its peer's machine answers, and the process does not: it is stopped, perhaps."""


class Awake(SocketEvent):
    """It does again."""


class Knocked(SocketEvent):
    """Somebody has come, and left before a word was said: to see whether this process lives."""


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
    Silent: logging.WARNING,
    Knocked: logging.DEBUG,
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
_LEFT = (errno.EPIPE, errno.ECONNRESET)
_FAILED = (zmq.EVENT_ACCEPT_FAILED,)
"""Not BIND_FAILED: that is raised where it was tried; and to be told of it here would change the errno
there."""
_OPENED = (zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED)
_ALL = (*_PLAIN, *_REFUSED, *_FAILED, *_OPENED, zmq.EVENT_CONNECT_RETRIED, zmq.EVENT_MONITOR_STOPPED)


def read(name: str, kind: int, value: int, endpoint: str, *, binds: bool) -> SocketEvent | None:
    """The event that ZeroMQ tells with a number and a value; None: nothing to tell."""
    if kind in _PLAIN:
        return _PLAIN[zmq.Event(kind)](name, endpoint)
    if kind == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL and value in _LEFT and binds:
        return Knocked(name, endpoint)
    if kind in _REFUSED:
        return Refused(name, endpoint, _REFUSED[zmq.Event(kind)])
    if kind in _FAILED:
        return Failed(name, endpoint, os.strerror(value))
    if kind == zmq.EVENT_CONNECT_RETRIED:
        return Retrying(name, endpoint, value / 1000)
    return None


def watch(context: zmq.Context[Any], socket: Any, name: str, pulse: Pulse, *, binds: bool) -> None:
    """Log what happens to ``socket`` until it is closed, and feel its ``pulse``."""
    place = f"inproc://penstock.monitor.{next(_numbers)}"
    socket.monitor(place, sum(_ALL))
    ear = context.socket(zmq.PAIR)
    ear.linger = 0
    ear.connect(place)
    threading.Thread(
        target=_Ear(ear, name, pulse, binds=binds).listen, daemon=True, name="penstock-monitor"
    ).start()


class _Ear:
    """At the monitor of one socket."""

    def __init__(self, ear: Any, name: str, pulse: Pulse, *, binds: bool) -> None:
        self._ear, self._name, self._pulse, self._binds = ear, name, pulse, binds
        self._refused = 0
        self._knocked = False
        """Whether the connection that ends next is of one that has only knocked."""

    def listen(self) -> None:
        """Until the socket is closed, or the context ends."""
        with self._ear, suppress(zmq.ZMQError):
            while self._hear() and self._feel():
                """There is more to come."""
        self._pulse.close()

    def _feel(self) -> bool:
        """Sleep until there is something to hear; look after the connections meanwhile."""
        knocks = self._pulse.files()
        wanted = [(self._ear, zmq.POLLIN), *((knock.fileno(), zmq.POLLIN) for knock in knocks)]
        ready = {each for each, _ in zmq.zmq_poll(wanted, milliseconds(self._pulse.left()))}
        for knock in knocks:
            if knock.fileno() in ready and self._pulse.answered(knock):
                self._tell(Awake(self._name, knock.line.endpoint))
        for line in self._pulse.beat():
            self._tell(Silent(self._name, line.endpoint))
        return True

    def _hear(self) -> bool:
        """All there is to hear now; False: the socket is closed."""
        while self._ear.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            said = recv_monitor_message(self._ear, zmq.NOBLOCK)
            kind, endpoint = said["event"], said["endpoint"].decode("utf-8", "replace")
            if kind == zmq.EVENT_MONITOR_STOPPED:
                return False
            self._note(kind, said["value"], endpoint)
        return True

    def _note(self, kind: int, value: int, endpoint: str) -> None:
        if kind in _OPENED:
            self._pulse.opened(value, endpoint)
            return
        if kind == zmq.EVENT_DISCONNECTED:
            self._pulse.closed(value)
            if self._knocked:
                self._knocked = False
                return
        event = read(self._name, kind, value, endpoint, binds=self._binds)
        if event is not None:
            self._knocked = type(event) is Knocked
            self._tell(event)

    def _tell(self, event: SocketEvent) -> None:
        if isinstance(event, Refused):
            self._refused += 1
            if self._refused & (self._refused - 1):
                return  # told are the 1st, 2nd, 4th, 8th ...: a flood is not to fill the log
        log.log(_LEVELS.get(type(event), logging.INFO), "%s", event, extra={"event": event})


def signs_of_life(every: float) -> dict[int, int]:
    """The kernel is to ask idle tcp connections for them."""
    seconds = max(1, math.ceil(every))
    return {
        zmq.TCP_KEEPALIVE: 1,
        zmq.TCP_KEEPALIVE_IDLE: seconds,
        zmq.TCP_KEEPALIVE_INTVL: seconds,
        zmq.TCP_KEEPALIVE_CNT: BEATS - 1,
    }


def impatience(every: float) -> dict[int, int]:
    """It is to give up what is not acknowledged in time, or finds no room: for sockets whose peers take at
    once whatever comes."""
    return {zmq.TCP_MAXRT: milliseconds(BEATS * every)}
