"""Runs in the supervisor: its end of the control socket of one worker.

Writing never blocks: what the socket does not take now waits here and goes when it does. A worker that is
busy (or hangs) in user code for minutes reads nothing meanwhile, and must not hold up its supervisor.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.runtime import control

if TYPE_CHECKING:
    from penstock.runtime import jobwire

CHUNK = 1 << 16


class Line:
    """Control messages to and from one worker."""

    def __init__(
        self,
        mine: socket.socket,
        *,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[[control.ToSupervisor], None],
        on_nonsense: Callable[[str], None],
        on_end: Callable[[], None] | None = None,
        words: Any = control.ToSupervisor,
    ) -> None:
        """Listen on ``mine``; ``on_nonsense`` gets a sentence, once, after which nothing more is read.
        ``on_end``: told when the other end is closed, once; of a child the kernel tells that, too. ``words``:
        the types of what may be said."""
        mine.setblocking(False)
        self._socket = mine
        self._loop = loop
        self._on_message = on_message
        self._on_nonsense = on_nonsense
        self._on_end = on_end
        self._decode = msgspec.msgpack.Decoder(words).decode
        self._received = bytearray()
        self._waiting = bytearray()
        loop.add_reader(mine, self._read)

    def send(self, message: jobwire.ToWorker) -> None:
        """Send one message, now or as soon as there is room; to a worker that has ended, not at all."""
        if self._socket.fileno() < 0:
            return
        self._waiting += control.frame(message)
        self._write()

    def send_soon(self, message: jobwire.ToWorker) -> None:
        """Send one message together with what else is sent before the loop turns: each by itself is a system
        call, and a job of no length has nothing that costs more."""
        if self._socket.fileno() < 0:
            return
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting += control.frame(message)

    def drain(self) -> None:
        """Take what has already arrived: a dead worker's last words."""
        while self._socket.fileno() >= 0 and self._read():
            pass

    def close(self) -> None:
        """Hang up. Twice is fine."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()

    def _flush(self) -> None:
        if self._waiting and self._socket.fileno() >= 0:
            self._write()

    def _write(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: self._socket.send(self._waiting)]
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._write)
            return
        except OSError:  # it has ended; its death is told by the kernel, not by us
            self._waiting.clear()
        self._loop.remove_writer(self._socket)

    def _read(self) -> bool:
        """Take in what has arrived, at most a chunk; whether there may be more."""
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._socket)
            on_end, self._on_end = self._on_end, None
            if on_end is not None:
                on_end()
            return False
        self._received += data
        try:
            for body in control.split(self._received):
                self._on_message(self._decode(body))
        except (ValueError, RecursionError) as error:
            self._loop.remove_reader(self._socket)
            self._on_nonsense(f"it sent what is no control message: {error}")
            return False
        return True
