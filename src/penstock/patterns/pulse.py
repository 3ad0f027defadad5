"""Whether those at the other ends live, asked once in a while: for sockets whose peers are found at a file or
by tcp.

The kernels of two hosts ask each other (TCP's keep-alive, and ``Lines.cut_unheard`` where something is on its
way). Both say nothing of a process that is stopped. So whoever has connected and heard nothing lately knocks:
it connects once more beside the connection that it asks about, and ZeroMQ's first word is said by ZeroMQ's
own thread, however busy or full its process is. To whoever is knocked at, that is a connection that comes and
goes.

ZMTP's own heartbeats are not used. libzmq up to 4.3.5 aborts the process when one is due on a connection that
was lost while its reader had no room (zeromq/libzmq#4364), or reads on after such a one (#3937); and a reader
without room answers none, so a peer that is only slow would be cut off, and what is on its way lost.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from socket import SOCK_STREAM, socket

from penstock.lifecycle import monotonic
from penstock.patterns.lines import Line, Lines, info, opened
from penstock.security.curve import Gone

BEATS = 3
"""Signs of life, the third of which may not be missed."""
REST = 1.0
"""Seconds between two looks at whose keys are revoked, where nobody is asked for a sign of life."""


class Knock:
    """One that has not been answered yet."""

    def __init__(self, line: Line) -> None:
        """Raises:
        OSError: there is nobody, or it cannot be asked like this.
        """
        with opened(line) as file:
            self._file = socket(file.family, SOCK_STREAM)
            where = file.getpeername()
        self._file.setblocking(False)
        failed = self._file.connect_ex(where)
        if failed not in {0, errno.EINPROGRESS}:
            self._file.close()
            raise OSError(failed, "nobody to be asked")
        self.line, self.since, self.missed = line, monotonic(), False

    def fileno(self) -> int:
        """Readable once it is answered, or refused."""
        return self._file.fileno()

    def close(self) -> None:
        """It waits no more."""
        with suppress(OSError):
            self._file.recv(64)  # what is left unread would make a reset of the end
        self._file.close()


class Pulse:
    """Of one socket."""

    def __init__(self, heartbeat: float, *, binds: bool, gone: Gone | None) -> None:
        """``heartbeat``: seconds; 0: nobody is asked for a sign of life. ``gone``: where there are keys."""
        self._asks = heartbeat > 0
        self._every = heartbeat or REST
        self._knocks = self._asks and not binds
        self._gone = gone
        self._knocking: dict[int, Knock] = {}
        self._next = 0.0
        self.lines = Lines()

    def left(self) -> float | None:
        """Seconds to the next beat; None: there is nothing to look after."""
        return max(0.0, self._next - monotonic()) if self.lines else None

    def opened(self, file: int, endpoint: str) -> None:
        """There is a connection, or will be one."""
        if self._knocks or endpoint.startswith("tcp://"):  # of a file, its other end is here as well
            if not self.lines:
                self._next = monotonic() + self._every
            self.lines.opened(file, endpoint)

    def files(self) -> list[Knock]:
        """What may be answered."""
        return list(self._knocking.values())

    def closed(self, file: int) -> None:
        """A connection is gone."""
        self.lines.closed(file)
        self._end(file)

    def answered(self, knock: Knock) -> bool:
        """It is; whether that was missed before."""
        self._end(knock.line.file)
        return knock.missed

    def beat(self) -> Iterator[Line]:
        """Look after all connections, if it is time: those whose peer is silent from now on."""
        if self.left() != 0.0:
            return
        self._next = monotonic() + self._every
        if self._asks:
            self.lines.cut_unheard(BEATS * self._every)
        if self._gone is not None:
            self.lines.cut_from(self._gone())
        for knock in self.files():
            if not knock.missed and monotonic() - knock.since > (BEATS - 1) * self._every:
                knock.missed = True
                yield knock.line
        for line in self.lines if self._knocks else ():
            if line.file not in self._knocking and not self._has_heard(line):
                with suppress(OSError):  # that is told by the connection itself
                    self._knocking[line.file] = Knock(line)

    def close(self) -> None:
        """Ask no more."""
        for knock in self.files():
            self._end(knock.line.file)

    def _has_heard(self, line: Line) -> bool:
        found = info(line)
        return found is not None and found.silent < self._every

    def _end(self, file: int) -> None:
        knock = self._knocking.pop(file, None)
        if knock is not None:
            knock.close()
