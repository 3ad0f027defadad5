"""What the library reads a connection from: the deliveries of our channels are out of it already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex

from penstock.rabbitmq.deliveries import Deliveries
from penstock.rabbitmq.message import Delivery

if TYPE_CHECKING:
    from yarl import URL

HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"
PULSE = 1.0
"""Seconds between two signs of life for the library, which takes a connection for dead from which it reads
nothing."""

Take = Callable[[Delivery], None]
"""Is given each delivery, on the loop; it must not block."""


class Wire(asyncio.StreamReader):
    """Of one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._clock = loop
        self._deliveries = Deliveries()
        self._takers: dict[int, Take] = {}
        self._pulse = loop.time()

    def take(self, channel: int, take: Take) -> None:
        """Give the deliveries of that channel to ``take``, from now on."""
        self._takers[channel] = take
        self._deliveries.channels.add(channel)

    def leave(self, channel: int, take: Take) -> None:
        """No longer: it has ended. Twice is fine; and the next one of that number has another ``take``."""
        if self._takers.get(channel) is take:
            del self._takers[channel]
            self._deliveries.channels.discard(channel)

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """See ``StreamReader``."""
        passed, found = self._deliveries.sift(bytes(data))
        for channel, delivery in found:
            self._give(channel, delivery)
        if found and not passed and self._clock.time() - self._pulse >= PULSE:
            passed = HEARTBEAT
        if passed:
            self._pulse = self._clock.time()
            super().feed_data(passed)

    def feed_eof(self) -> None:
        """See ``StreamReader``."""
        if rest := self._deliveries.ended():
            super().feed_data(rest)
        super().feed_eof()

    def _give(self, channel: int, delivery: Delivery) -> None:
        take = self._takers.get(channel)
        if take is None:
            return  # its channel has ended, and the broker gives it to somebody else
        try:
            take(delivery)
        except Exception as error:  # noqa: BLE001  a mistake of ours is none of the connection's
            self._clock.call_exception_handler({"message": "a delivery was not taken", "exception": error})


class Plug:
    """Makes the two ends of a connection for the library: a ``TransportFactory`` of it."""

    def __init__(self) -> None:
        """Nothing is there before the library has asked for it."""
        self.wire: Wire | None = None

    async def create(self, url: URL, **knobs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See ``TransportFactory``."""
        from aiormq.exceptions import AMQPConnectionError

        loop, provider = asyncio.get_running_loop(), knobs.pop("ssl_context_provider")
        context = await provider.get_context() if url.scheme == "amqps" else None
        wire = self.wire = Wire(loop)
        protocol = asyncio.StreamReaderProtocol(wire, loop=loop)
        try:
            transport, _ = await loop.create_connection(
                lambda: protocol, str(url.host), int(url.port or 0), ssl=context, **knobs
            )
        except OSError as error:
            raise AMQPConnectionError(*error.args) from error
        return wire, asyncio.StreamWriter(transport, protocol, wire, loop)
