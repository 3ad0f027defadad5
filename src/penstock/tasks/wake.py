"""Word from process to process that a store has changed, as soon as that is on disk. Nobody polls.

Who waits has a bell: a datagram socket in a directory beside the store. Who has committed something rings
those whom it concerns. Bind first, look then, wait last: so nothing is missed. A ring can be lost all the
same (a full queue, a program that was killed between its commit and its ring), so nobody waits for ever:
who looks again every few seconds, too, is late at worst.
"""

from __future__ import annotations

import os
import select
import socket
from contextlib import suppress
from typing import Callable, Optional, Sequence

from penstock.tasks.job import new_id

WORK = "work"
"""For those who run jobs: there is one, or one is to end."""
NEWS = "news"
"""For those who wait for jobs: something has become of one."""


class Bell:
    """Hears of one kind of change in one store."""

    def __init__(self, directory: str, kind: str) -> None:
        """``directory``: that of the store's bells; made if it is not there.

        Raises:
            OSError: no socket can be made there.
        """
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._path = os.path.join(directory, f"{kind}.{new_id()}")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        try:
            _with_directory(directory, lambda near: self._socket.bind(near + os.path.basename(self._path)))
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """To wait on, readable once it was rung."""
        return self._socket.fileno()

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Until it is rung, or was since the last ``wait`` or ``clear``; whether it was within ``timeout``
        seconds."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        rung = bool(poll.poll(None if timeout is None else max(0.0, timeout) * 1000.0))
        self.clear()
        return rung

    def clear(self) -> None:
        """It was heard."""
        try:
            while True:
                self._socket.recv(16)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Take it down. Twice is fine."""
        if self._socket.fileno() >= 0:
            with suppress(OSError):
                os.unlink(self._path)
            self._socket.close()


def ring(directory: str, *kinds: str) -> None:
    """Ring all bells of these kinds there; of who has died, take them down."""
    try:
        found = [name for name in os.listdir(directory) if name.partition(".")[0] in kinds]
    except OSError:
        return  # nobody has ever waited
    if found:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as ringer:
            ringer.setblocking(False)
            _with_directory(directory, lambda near: _ring_all(ringer, [near + name for name in found]))


def _ring_all(ringer: socket.socket, paths: Sequence[str]) -> None:
    for path in paths:
        _ring(ringer, path)


def _ring(ringer: socket.socket, path: str) -> None:
    try:
        ringer.sendto(b"!", path)
    except ConnectionRefusedError:
        with suppress(OSError):
            os.unlink(path)
    except OSError:
        pass  # it is ringing all the time, or was taken down just now


def _with_directory(directory: str, act: Callable[[str], object]) -> None:
    """Call ``act`` with a short name for ``directory``: a socket's path has 107 bytes, and a store may lie
    deeper than that."""
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        act(f"/proc/self/fd/{handle}/")
    finally:
        os.close(handle)
