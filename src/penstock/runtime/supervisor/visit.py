"""Runs in the supervisor: a process that it has not started, and that asks for a seat.

In place of ``process.Child``. It is nobody's to kill: who loses his seat hears why on his control socket,
which then ends; what he had in hand is with others by then, and what he says afterwards nobody reads.

That he has gone is told by the kernel in two ways: his process ends (a pidfd can be read from then on, and
need not be a child's), or his end of the socket does (unless a child of his holds that open).
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from penstock.errors import UserError
from penstock.runtime.supervisor import usage
from penstock.runtime.supervisor.line import Line
from penstock.runtime.supervisor.usage import Usage

SCRIPT, DEBUGGER = "its script ended", "the debug session ended"
"""The cause of a guest's death: whose process is not our child's, tells us no exit code."""

_CREDENTIALS = struct.Struct("3i")
"""pid, uid and gid, as SO_PEERCRED gives them."""


class Visit:
    """One guest, from his question to his end."""

    host, lost, oom, page, tally = "", False, False, None, None
    """As of ``process.Child``."""

    def __init__(self, question: socket.socket, *, loop: asyncio.AbstractEventLoop) -> None:
        """``question``: the connection by which he asks. (The kernel says who he was when he made it.)

        Raises:
            UserError: he cannot be watched.
        """
        size = _CREDENTIALS.size
        self.pid = _CREDENTIALS.unpack(question.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0]
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except OSError:
            raise UserError("who asks cannot be watched: it runs in another container, or ended") from None
        self.socket, self.theirs = socket.socketpair()
        self.parting = SCRIPT
        """What is said of his end, if he goes without having finished."""
        self.seated: asyncio.Future[None] = loop.create_future()
        """Done when he has a seat; fails when he will have none."""
        self._loop = loop
        self._on_exit: Callable[[int], None] | None = None

    def sit(self, on_exit: Callable[[int], None]) -> None:
        """He is a worker from now on; ``on_exit`` is called once, when he is none any more."""
        self._on_exit = on_exit
        self._loop.add_reader(self._pidfd, self.gone)
        if not self.seated.done():
            self.seated.set_result(None)

    def gone(self) -> None:
        """He has ended, or hung up (which a dying process does first). Twice is fine."""
        on_exit, self._on_exit = self._on_exit, None
        if on_exit is not None:
            self.close()
            on_exit(0)

    def make_line(self, loop: asyncio.AbstractEventLoop, **hearing: Any) -> Line:
        """What we say to each other; ``hearing`` as that of ``Line``."""
        return Line(self.socket, loop=loop, on_end=self.gone, **hearing)

    def usage(self) -> Usage:
        """What he has used up to now."""
        return usage.of(self.pid)

    def terminate(self) -> None:
        """As ``kill``: it is not ours to ask."""
        self.kill()

    def kill(self) -> None:
        """Show him the door; his process lives."""
        if self._on_exit is not None:
            self.socket.shutdown(socket.SHUT_RDWR)  # read as the end, here and there

    def abandon(self) -> None:
        """The run is over; nobody is told but he."""
        self._on_exit = None
        self.close()

    def close(self) -> None:
        """Let go of what is ours; the line is closed by who reads it. Twice is fine."""
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        self.theirs.close()
