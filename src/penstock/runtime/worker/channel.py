"""In the worker: its end of the control socket. Read with the lock held; anybody may speak."""

from __future__ import annotations

import os
import platform
import socket
import sys
import threading
from typing import Any, List

import msgspec

from penstock.runtime import control

CHUNK = 1 << 16


class SupervisorLost(BaseException):
    """The supervisor has ended, so this worker has nobody to work for."""


class SupervisorForeign(Exception):
    """The supervisor is of another version, whose words would be misread."""


def bound(tcp: str = "") -> control.Bound:
    """That we are here, and what we are. ``tcp``: where other hosts find us."""
    return control.Bound(os.getpid(), platform.python_version(), sys.prefix, tcp, control.VERSION)


class Channel:
    """Control messages to and from the supervisor."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)
        self._data = bytearray()
        self._speaking = threading.Lock()
        self.learn(control.ToWorker)

    def learn(self, words: Any) -> None:
        """Understand these from now on: a worker that is given jobs hears more than others."""
        self._decode = msgspec.msgpack.Decoder(words).decode

    def fileno(self) -> int:
        """To wait on."""
        return self._socket.fileno()

    def say(self, message: Any) -> None:
        """Send one message, whole.

        Raises:
            SupervisorLost: nobody listens any more.
        """
        try:
            with self._speaking:
                self._socket.sendall(control.frame(message))
        except OSError:
            raise SupervisorLost from None

    def first(self) -> control.Assignment:
        """The assignment, which comes before anything else; what came behind it is kept.

        Raises:
            SupervisorLost: it never came.
            SupervisorForeign: it is of another version.
            ValueError: something else did.
        """
        header = self._exactly(control.LENGTH.size)
        control.split(bytearray(header))  # refuses a length beyond all limits
        body = self._exactly(control.LENGTH.unpack(header)[0])
        _refuse_foreign(body)
        message = self._decode(body)
        if not isinstance(message, control.Assignment):
            raise SupervisorLost
        return message

    def receive(self) -> List[control.ToWorker]:
        """All messages that have arrived; does not block.

        Raises:
            SupervisorLost: the other end is closed.
            ValueError: it speaks another language.
        """
        while True:
            try:
                data = self._socket.recv(CHUNK, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                raise SupervisorLost from None
            if not data:
                return self._last_words()
            self._data += data
        return self._whole()

    def _last_words(self) -> List[control.ToWorker]:
        """What was said before the end, first; then that it is the end."""
        found = self._whole()
        if not found:
            raise SupervisorLost
        return found

    def _whole(self) -> List[control.ToWorker]:
        return [self._decode(body) for body in control.split(self._data)]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                part = self._socket.recv(min(size - len(data), CHUNK))
            except OSError:
                part = b""
            if not part:
                raise SupervisorLost
            data += part
        return bytes(data)


def _refuse_foreign(body: bytes) -> None:
    """Before the rest of it is read: that may mean something else there.

    Raises:
        SupervisorForeign: it is an assignment of another version.
    """
    try:
        version = msgspec.msgpack.decode(body, type=control.Spoken).version
    except msgspec.ValidationError:
        return  # no assignment
    if why := control.foreign(version, "its supervisor"):
        raise SupervisorForeign(why)
