"""The one ZeroMQ context of this process, for all sockets of ``penstock.patterns``: ``inproc`` is within a
context.

It is made when the first socket is, and never used after a fork. What was sent leaves before the process
does, within the time that its socket lingers: pyzmq would leave that to whoever remembers to call ``term``.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from socket import AF_UNIX
from socket import socket as file_socket
from typing import Protocol

import zmq

from penstock.lifecycle import monotonic
from penstock.security.curve import Gatekeeper

LEAVES_WITHIN = 2.0
"""Seconds; it takes some milliseconds on a machine that has nothing else to do."""


class Socket(Protocol):
    """What is told of forks and of the end."""

    linger: float
    owner: int
    """The thread whose it is."""

    def orphan(self) -> None:
        """You are in the child of a fork: not yours any more."""

    def shut(self) -> None:
        """The process ends."""


class _Process:
    """What there is of one process."""

    def __init__(self) -> None:
        self.context = zmq.Context()
        self.sockets: weakref.WeakSet[Socket] = weakref.WeakSet()
        self.longest = 0.0
        """Seconds that any of them may linger, the closed ones too."""
        self.gatekeeper: Gatekeeper | None = None
        self.left: deque[str] = deque(maxlen=100)
        """Endpoints of those."""


_lock = threading.Lock()
_here: list[_Process] = []
_inherited: list[_Process] = []  # of our parents: kept, as to collect them would end them


def join(socket: Socket) -> zmq.Context[zmq.Socket[bytes]]:
    """The context of this process, for one more socket."""
    with _lock:
        if not _here:
            _here.append(_Process())
        process = _here[0]
        process.sockets.add(socket)
        process.longest = max(process.longest, socket.linger)
        return process.context


def gatekeeper() -> Gatekeeper:
    """Who says who is let in, here in this process. (There is a socket already, so there is a process.)"""
    with _lock:
        process = _here[0]
        if process.gatekeeper is None:
            process.gatekeeper = Gatekeeper(process.context)
        return process.gatekeeper


def leave(endpoints: Iterable[str]) -> None:
    """A socket there is being closed: libzmq does so behind our back."""
    for process in _here:
        process.left.extend(endpoints)


def patience(endpoint: str) -> Iterator[None]:
    """Try to bind there: once, or where one of ours has just been closed, until it is gone."""
    end = monotonic() + LEAVES_WITHIN
    yield
    while _here and endpoint in _here[0].left and monotonic() < end:
        time.sleep(0.002)
        yield


def is_answered(path: str) -> bool:
    """Whether somebody listens there: libzmq removes the socket file that is in its way, also that of a
    process that lives."""
    with file_socket(AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _forked() -> None:
    """In the child: no socket of the parent may be touched, and no lock of it is to be waited for."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    for process in _here:
        for socket in list(process.sockets):
            socket.orphan()
    _inherited.extend(_here)
    _here.clear()


def _end() -> None:
    """Close what nobody has closed and let leave what was sent; in a thread, as ``term`` can hang in spite of
    LINGER (zeromq/libzmq#2586)."""
    for process in _here:
        others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
        for socket in list(process.sockets):
            if socket.owner not in others:  # those are told by ``term``, wherever they wait
                socket.shut()
        ending = threading.Thread(target=process.context.term, daemon=True)
        ending.start()
        ending.join(process.longest + 0.5)


os.register_at_fork(after_in_child=_forked)
atexit.register(_end)
