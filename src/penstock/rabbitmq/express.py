"""A line of its own for who hands jobs in one by one, and waits for each: the thread that waits writes the
message and reads the answer.

By the event loop in the background the same costs two changes of threads and some nine turns of the loop,
three times the CPU. But that one has what this one lacks: it connects by each address, tries again, and tells
what is wrong. So nothing is said here of what fails: whoever asks goes the other way then, with the same
message. That may have arrived already; it has an id, and twice is once.

It is opened to the node that the other way leads to, once many were handed in, and closed when it rests.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from penstock.errors import PenstockError, TimedOut, Unroutable
from penstock.rabbitmq import frames
from penstock.rabbitmq.connection import context
from penstock.rabbitmq.frames import Frame
from penstock.rabbitmq.message import Posting
from penstock.rabbitmq.url import BrokerUrl

OFTEN = 10
"""Messages after which a line of its own is worth it."""
REST = 30.0
"""Seconds without a message after which it is closed: nobody sends signs of life on it."""
HEARTBEAT = 4 * round(REST)
GREETING = 5.0
"""Seconds for a broker that is there to let us in."""
CHANNEL = 1
NAME = "penstock client submits"


class Refused(Exception):
    """The broker has said something else than what was waited for."""


class Express:
    """Of one process with one broker."""

    def __init__(self, later: Callable[[float, Callable[[], None]], None]) -> None:
        """``later`` calls something after so many seconds, on another thread."""
        self._later = later
        self._turn = threading.Lock()
        self._line: Line | None = None
        self._count = 0
        self._used = self._again = 0.0

    def publish(self, node: BrokerUrl | None, posting: Posting, within: float) -> bool:
        """Whether the broker has it, confirmed; else it is to be published in the usual way.

        Args:
            node: Where to; nothing: that is not known yet.
            posting: What, and under which key.
            within: Seconds for that.

        Raises:
            Unroutable: no queue takes it.
            TimedOut: the broker takes nothing.
        """
        self._count += 1
        if node is None or self._count <= OFTEN or not self._turn.acquire(blocking=False):
            return False
        try:
            return self._published(node, posting, within)
        except TimeoutError:
            self._drop()
            raise TimedOut(f"{node} has not taken it within {within:g} s") from None
        except (OSError, Refused, ValueError, struct.error):
            self._drop()
            return False
        except Unroutable:
            raise
        except BaseException:
            self._drop()  # we were interrupted, and the answer is still to come
            raise
        finally:
            self._turn.release()

    def _published(self, node: BrokerUrl, posting: Posting, within: float) -> bool:
        self._used = time.monotonic()
        line = self._line or self._opened(node)
        return line is not None and line.publish(posting, within)

    def _opened(self, node: BrokerUrl) -> Line | None:
        if self._used < self._again:
            return None
        self._again = self._used + REST  # if this fails
        with suppress(TimeoutError, PenstockError):
            self._line = Line(node)
            self._again = 0.0
            self._later(REST, self._look)
        return self._line

    def _look(self) -> None:
        """Close what rests."""
        if not self._turn.acquire(blocking=False):
            self._later(REST, self._look)
            return
        try:
            left = self._used + REST - time.monotonic()
            if self._line is not None and left <= 0:
                self._drop()
            elif self._line is not None:
                self._later(left, self._look)
        finally:
            self._turn.release()

    def close(self) -> None:
        """End it."""
        with self._turn:
            self._drop()

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()


class Line:
    """A connection with one channel, whose publishes are confirmed."""

    def __init__(self, url: BrokerUrl) -> None:
        """Log in.

        Raises:
            OSError: it cannot be reached, or takes too long.
            Refused: it does not let us in.
        """
        self._user = url.user
        self._rest = b""
        self._sent = 0
        self._socket = _reached(url)
        try:
            self._most = self._greeted(url)
        except BaseException:
            self._socket.close()
            raise

    def publish(self, posting: Posting, within: float) -> bool:
        """Whether the broker has it.

        Raises:
            Unroutable: no queue takes it.
            OSError, Refused: the line has ended.
        """
        payload = frames.publish(CHANNEL, *posting, self._user, self._most)
        end = time.monotonic() + within
        self._sent += 1
        self._socket.settimeout(within)
        self._socket.sendall(payload)
        return self._answered(posting.key, end)

    def _answered(self, key: str, end: float) -> bool:
        is_returned = False
        while True:
            frame = self._next(end)
            method = frame.method
            if method in {frames.ACK, frames.NACK} and frame.tag == self._sent:
                if is_returned:
                    raise Unroutable(f"no queue takes {key!r}")
                return method == frames.ACK
            if method == frames.RETURN:
                is_returned = True
            elif frame.kind == frames.METHOD:
                raise Refused(method)

    def _next(self, end: float) -> Frame:
        """The next frame.

        Raises:
            OSError: there is none, or not in time.
        """
        while True:
            frame, self._rest = frames.first(self._rest)
            if frame is not None:
                return frame
            self._socket.settimeout(max(0.001, end - time.monotonic()))
            came = self._socket.recv(65536)
            if not came:
                raise ConnectionResetError
            self._rest += came

    def _greeted(self, url: BrokerUrl) -> int:
        """Log in, and have a channel; how many bytes a body's frame has at most."""
        from pamqp import commands

        end = time.monotonic() + GREETING
        self._socket.sendall(b"AMQP\x00\x00\x09\x01")
        self._heard(commands.Connection.Start, end)
        password = "" if url.external else f"\x00{url.user}\x00{url.reveal(os.environ)}"
        mechanism = "EXTERNAL" if url.external else "PLAIN"
        self._say(commands.Connection.StartOk({"connection_name": NAME}, mechanism, password), 0)
        tune = self._heard(commands.Connection.Tune, end)
        self._say(commands.Connection.TuneOk(tune.channel_max, tune.frame_max, HEARTBEAT), 0)
        self._say(commands.Connection.Open(url.vhost), 0)
        self._heard(commands.Connection.OpenOk, end)
        self._say(commands.Channel.Open(), CHANNEL)
        self._heard(commands.Channel.OpenOk, end)
        self._say(commands.Confirm.Select(), CHANNEL)
        self._heard(commands.Confirm.SelectOk, end)
        return int(tune.frame_max or 131072) - frames.HEAD - 1

    def _say(self, method: Any, channel: int) -> None:
        from pamqp import frame

        self._socket.sendall(frame.marshal(method, channel))

    def _heard(self, kind: type[Any], end: float) -> Any:
        from pamqp import commands

        found = self._next(end)
        index = found.method[0] << 16 | found.method[1]
        if commands.INDEX_MAPPING.get(index) is not kind:
            raise Refused(found.method)
        method = kind()
        method.unmarshal(found.payload[4:])
        return method

    def close(self) -> None:
        """End it. The broker is told, but not waited for."""
        from pamqp import commands

        with suppress(OSError):
            self._socket.settimeout(0.0)
            self._say(commands.Connection.Close(200, "done", 0, 0), 0)
        self._socket.close()


def _reached(url: BrokerUrl) -> socket.socket:
    found = socket.create_connection((url.host, url.port), GREETING)
    try:
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secured = context(url)
        return secured.wrap_socket(found, server_hostname=url.host) if secured else found
    except BaseException:
        found.close()
        raise
