"""The connections of one socket, as the files they are: ZeroMQ says when each comes and goes, but cannot say
how it fares, nor end it.

A file is looked at through a copy of its own, and only if it is still the one it was: its number may be
somebody else's by now.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socket import AF_UNIX, IPPROTO_TCP, SHUT_RDWR, TCP_INFO, socket
from typing import NamedTuple

_INFO = struct.Struct("=2xBB48xII")
"""Of ``tcp_info`` in linux/tcp.h: retransmits, probes, last_data_recv and last_ack_recv, in ms."""
TRIES = 2
"""In vain, after which it is no accident. (One may just be on its way.)"""


@dataclass(frozen=True, slots=True)
class Line:
    """One connection."""

    file: int
    inode: int
    endpoint: str


class Info(NamedTuple):
    """How a tcp connection fares. Times are seconds."""

    tries: int
    """To be acknowledged, in vain so far."""
    silent: float
    """Since data came."""
    unacknowledged: float
    """Since anything was."""


class Lines:
    """Those of one socket."""

    def __init__(self) -> None:
        self._lines: dict[int, Line] = {}

    def opened(self, file: int, endpoint: str) -> None:
        """There is one more."""
        with suppress(OSError):  # it is gone already
            self._lines[file] = Line(file, os.fstat(file).st_ino, endpoint)

    def closed(self, file: int) -> None:
        """It is gone."""
        self._lines.pop(file, None)

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(list(self._lines.values()))

    def cut_unheard(self, seconds: float) -> None:
        """End those whose other host has acknowledged nothing for so long, though it was asked. (Not by the
        kernel's TCP_USER_TIMEOUT: that ends those, too, whose reader has no room and says so.)"""
        for line in self:
            found = info(line)
            if found is not None and found.tries >= TRIES and found.unacknowledged >= seconds:
                cut(line)

    def cut_from(self, hosts: Collection[str]) -> None:
        """End those with peers at these addresses."""
        for line in self:
            if host(line) in hosts:
                cut(line)


@contextmanager
def opened(line: Line) -> Iterator[socket]:
    """Its file, for a moment.

    Raises:
        OSError: it is gone.
    """
    with socket(fileno=os.dup(line.file)) as copy:
        if os.fstat(copy.fileno()).st_ino != line.inode:
            raise OSError("another's by now")
        yield copy


def info(line: Line) -> Info | None:
    """What the kernel knows of it; None: it is no tcp, or gone."""
    with suppress(OSError), opened(line) as file:
        if file.family != AF_UNIX:
            found = _INFO.unpack(file.getsockopt(IPPROTO_TCP, TCP_INFO, _INFO.size))
            return Info(max(found[:2]), found[2] / 1000, found[3] / 1000)
    return None


def host(line: Line) -> str:
    """The address of its peer; empty within a machine, or when it is gone."""
    with suppress(OSError), opened(line) as file:
        return "" if file.family == AF_UNIX else str(file.getpeername()[0])
    return ""


def cut(line: Line) -> None:
    """End it: ZeroMQ sees that, and connects anew where it connects."""
    with suppress(OSError), opened(line) as file:
        file.shutdown(SHUT_RDWR)
