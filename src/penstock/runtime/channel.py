"""In the worker: its end of the control socket. Read with the lock held; anybody may speak."""

from __future__ import annotations

import socket
import threading
from typing import Any, List

from penstock.runtime import control


class SupervisorLost(BaseException):
    """The supervisor has ended, so this worker has nobody to work for."""


class Channel:
    """Control messages to and from the supervisor."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)
        self._data = bytearray()
        self._speaking = threading.Lock()

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
        """
        header = self._exactly(control.LENGTH.size)
        body = self._exactly(control.LENGTH.unpack(header)[0])
        message = control.to_worker.decode(body)
        if not isinstance(message, control.Assignment):
            raise SupervisorLost
        return message

    def receive(self) -> List[control.ToWorker]:
        """All messages that have arrived; does not block.

        Raises:
            SupervisorLost: the other end is closed.
        """
        while True:
            try:
                data = self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
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
        return [control.to_worker.decode(body) for body in control.split(self._data)]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                part = self._socket.recv(size - len(data))
            except OSError:
                part = b""
            if not part:
                raise SupervisorLost
            data += part
        return data
