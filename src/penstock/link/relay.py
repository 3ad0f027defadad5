"""A way through between networks that cannot see each other: bytes from one address to another, and back.

It passes on what TCP carries, and knows nothing of messages. So the link protocol goes from end to end, with
credit, settlements, the session that outlives a connection, and CURVE: a relay holds no key and sees nothing
but ciphers. (Between ROUTER and DEALER it would have to hold the run's key, be believed, and keep messages
that could die with it.) Nothing is kept here: who reads slowly makes the other end wait, by TCP itself.

    who connects ----> [ listens at `here` | connects to `there` ] ----> who is bound

Both ends of a connection say in their first 64 bytes how they keep others out, ZMTP's greeting. What does
not say CURVE is ended, unless both addresses are of this machine alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Callable, List, NamedTuple, Optional, Set

from penstock.errors import EnvironmentFault

GREETING = 32
"""Bytes until it is said how others are kept out."""
MECHANISM = slice(12, 32)
CURVE = b"CURVE".ljust(20, b"\0")
KEPT = 1 << 22
"""Bytes on their way to an end that reads slowly, before the other has to wait."""
ATTEMPT = 5.0
"""Seconds that one attempt to connect may take; its name is looked up for each."""
SILENCE = 2
"""Seconds without a sign of life after which an end counts as gone."""


class Address(NamedTuple):
    """Where to listen, or whom to connect to."""

    host: str
    port: int


class Counts:
    """What has gone through so far."""

    def __init__(self) -> None:
        self.connections = self.refused = self.forth = self.back = 0
        """Connections that were made, and that were not let through; bytes to ``there``, and from there."""


class Relay:
    """One pair of addresses."""

    def __init__(
        self,
        here: Address,
        there: Address,
        *,
        closed: bool,
        say: Callable[[str], None],
        counts: Optional[Counts] = None,
    ) -> None:
        """``closed``: nothing but CURVE is let through. ``say`` is told what people should know. ``counts``:
        of several relays together."""
        self.there = there
        self.counts = Counts() if counts is None else counts
        self._here = here
        self._closed = closed
        self._say = say
        self._server: Optional[asyncio.AbstractServer] = None
        self._pairs: Set[_Pair] = set()
        self._unreachable = False

    async def start(self) -> Address:
        """Listen; where.

        Raises:
            EnvironmentFault: that address cannot be had.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Pair(self).near, self._here.host or None, self._here.port
            )
        except OSError as error:
            raise EnvironmentFault(
                f"cannot listen at {self._here.host}:{self._here.port}: {error.strerror or error}"
            ) from None
        return Address(self._here.host, int(self._server.sockets[0].getsockname()[1]))

    async def close(self) -> None:
        """Take nothing new, and end what goes through: its ends say again later what is missing."""
        if self._server is not None:
            self._server.close()
            for pair in list(self._pairs):
                pair.end()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 1.0)

    @property
    def open(self) -> int:
        """Connections that there are."""
        return len(self._pairs)

    async def _connect(self, pair: _Pair) -> None:
        """The other half of a connection that has come."""
        self._pairs.add(pair)
        loop = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(loop.create_connection(lambda: pair.far, *self.there), ATTEMPT)
        except (OSError, asyncio.TimeoutError) as error:
            pair.end()
            if not self._unreachable:
                self._unreachable = True
                self._say(f"{self.there.host}:{self.there.port} cannot be reached: {_why(error)}; trying on")
            return
        if self._unreachable:
            self._unreachable = False
            self._say(f"{self.there.host}:{self.there.port} is there again")
        self.counts.connections += 1

    def began(self, pair: _Pair) -> None:
        """Somebody has come."""
        task = asyncio.ensure_future(self._connect(pair))
        pair.task = task

    def ended(self, pair: _Pair) -> None:
        """It is over."""
        self._pairs.discard(pair)

    def passes(self, greeting: bytes) -> bool:
        """Whether an end that begins so is let through."""
        if not self._closed or greeting[MECHANISM] == CURVE:
            return True
        self.counts.refused += 1
        count = self.counts.refused
        if not count & (count - 1):  # the 1st, 2nd, 4th, 8th ...: a flood is not to fill the log
            self._say(f"somebody without CURVE was not let through, {count:,} so far")
        return False


class _Pair:
    """One connection: both its ends."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.task: Optional[asyncio.Future[None]] = None
        self.over = False
        self.near = _End(self, is_near=True)
        self.far = _End(self, is_near=False)

    def end(self) -> None:
        """At once, for both: who is cut off shall know it."""
        self.over = True
        for each in (self.near, self.far):
            if each.transport is not None:
                each.transport.abort()
        if self.task is not None and not self.task.done():
            self.task.cancel()
        self.relay.ended(self)


class _End(asyncio.Protocol):
    """One of its ends."""

    def __init__(self, pair: _Pair, *, is_near: bool) -> None:
        self.transport: Optional[asyncio.Transport] = None
        self._pair = pair
        self._is_near = is_near
        self._greeting = b""
        self._early: List[bytes] = []

    @property
    def _other(self) -> _End:
        return self._pair.far if self._is_near else self._pair.near

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there; what the other has said meanwhile goes to it."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._pair.over:
            transport.abort()
            return
        transport.set_write_buffer_limits(KEPT)
        _tune(transport.get_extra_info("socket"))
        for data in self._early:
            transport.write(data)
        self._early.clear()
        if self._is_near:
            self._pair.relay.began(self._pair)
        elif self._other.transport is not None:
            self._other.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        relay = self._pair.relay
        if len(self._greeting) < GREETING:
            self._greeting += data[: GREETING - len(self._greeting)]
            if len(self._greeting) == GREETING and not relay.passes(self._greeting):
                self._pair.end()
                return
        if self._is_near:
            relay.counts.forth += len(data)
        else:
            relay.counts.back += len(data)
        other = self._other
        if other.transport is None:
            other._early.append(data)  # noqa: SLF001  of one kind
            assert self.transport is not None
            self.transport.pause_reading()
        else:
            other.transport.write(data)

    def pause_writing(self) -> None:
        """It reads slowly: the other has to wait."""
        if self._other.transport is not None:
            self._other.transport.pause_reading()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._other.transport is not None and not self._other.transport.is_closing():
            self._other.transport.resume_reading()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """It is gone, so the other goes."""
        self._pair.end()


def _tune(end: socket.socket) -> None:
    """Small words go at once, and who vanishes is missed."""
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, SILENCE - 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE * 1000)


def _why(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"no answer within {ATTEMPT:g} s"
