"""The broker, for who stays: two connections, made anew whenever one of them ends.

One publishes and one takes: a broker that is short of memory or disk stops listening to whoever publishes,
and what has been done must be settled all the same. When anything of a session ends, all of it does. So there
is one thing to know about a delivery, the session it has come by: on another it cannot be settled, and the
broker has given it to somebody already.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from penstock.errors import BrokerFault, PenstockError, TimedOut, Unroutable
from penstock.rabbitmq.channel import Channel, Take
from penstock.rabbitmq.connection import Connection, connect
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import BrokerUrl

FIRST, LONGEST = 0.1, 5.0
"""Seconds before it is tried again: at first, and at last."""
AGAIN = 0.2
"""Seconds before a message is published again that the broker did not want."""


class Session:
    """From ``open`` to ``close`` there is one, or one is on its way."""

    def __init__(
        self,
        url: BrokerUrl,
        name: str,
        *,
        begin: Callable[[Session], Awaitable[None]],
        lost: Callable[[str], None],
    ) -> None:
        """``begin`` is called with each connection that is made, to take from queues; it may publish, and
        what it raises makes for another try. ``lost`` is told why one has ended."""
        self._url = url
        self._name = name
        self._begin = begin
        self._on_lost = lost
        self._connections: list[Connection] = []
        self._out: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Connect for the first time.

        Raises:
            BrokerFault: there is no broker, it does not let us in, or has no such queue.
            EnvironmentFault, UserError: as of ``connect``.
        """
        try:
            await self._connect()
        except BaseException:
            await self._drop()
            raise
        self._keeper = asyncio.ensure_future(self._keep())

    async def close(self) -> None:
        """Leave. What was not settled goes to somebody else."""
        self._closing = True
        while self._keeper is not None and not self._keeper.done():
            self._keeper.cancel()  # more than once: the library may swallow one while it connects
            await asyncio.wait([self._keeper], timeout=AGAIN)
        await self._drop()

    async def publish(self, exchange: str, key: str, message: Message) -> None:
        """Have the broker keep it, however long that takes. Perhaps it has it twice then.

        Raises:
            Unroutable: no queue takes it.
        """
        while True:
            channel = await asyncio.shield(self._out)
            try:
                await channel.publish(exchange, key, message)
                return
            except Unroutable:
                raise
            except (BrokerFault, TimedOut):
                if channel.alive or self._out.done():
                    await asyncio.sleep(AGAIN)

    async def channel(self) -> Channel:
        """One more to take by. Its end is that of the session."""
        return await self._connections[0].channel(lost=self._end)

    async def consume(self, queue: str, take: Take, *, prefetch: int, held: int = 0) -> Channel:
        """Have what comes to a queue, by a channel of its own.

        Raises:
            BrokerFault: there is no such queue, or it is not ours to read.
        """
        channel = await self.channel()
        await channel.consume(queue, take, prefetch=prefetch, held=held)
        return channel

    # Below -----------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        tries = 0
        while True:
            if tries == 0:
                await self._ended.wait()
            await self._drop()
            # Each waits for a time of its own: a broker that comes back is not to meet all at once.
            await asyncio.sleep(min(LONGEST, FIRST * 2.0**tries) * (0.5 + random.random()))  # noqa: S311
            try:
                await self._connect()
                tries = 0
            except (PenstockError, OSError) as error:
                tries += 1
                self._on_lost(str(error))
            except asyncio.CancelledError:
                if self._closing:
                    raise
                tries += 1  # it was the library's, about a connection that has ended while it was made

    async def _connect(self) -> None:
        self._ended.clear()
        for purpose in ("takes", "publishes"):
            name = f"{self._name} {purpose}"
            self._connections.append(await connect(self._url, name=name, lost=self._end))
        self._out.set_result(await self._connections[1].channel(lost=self._end))
        await self._begin(self)

    async def _drop(self) -> None:
        if self._out.done():
            self._out = asyncio.get_running_loop().create_future()
        connections, self._connections = self._connections, []
        for each in connections:
            with suppress(Exception):  # it is of no use any more, whatever it says
                await asyncio.wait_for(each.close(), LONGEST)

    def _end(self, why: str) -> None:
        if not self._closing and not self._ended.is_set():
            self._ended.set()
            if self._out.done():
                self._out = asyncio.get_running_loop().create_future()
            self._on_lost(why)
