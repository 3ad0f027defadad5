"""The broker, for who stays: two connections, made anew whenever one of them ends.

One publishes and one takes: a broker that is short of memory or disk stops listening to whoever publishes,
and what has been done must be settled all the same. When anything of a session ends, all of it does. So there
is one thing to know about a delivery, the session it has come by: on another it cannot be settled, and the
broker has given it to somebody already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from penstock.errors import BrokerAway, BrokerFault, BrokerLost, PenstockError, TimedOut, Unroutable
from penstock.rabbitmq import faults
from penstock.rabbitmq.channel import Channel
from penstock.rabbitmq.connection import Connection, connect, pause
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import BrokerUrl

LEAVE = 5.0
"""Seconds for a connection to end."""
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
        """Connect for the first time. A broker that is away is waited for.

        Raises:
            BrokerFault: it does not let us in, has no such queue, or is none.
            EnvironmentFault, UserError: as of ``connect``.
        """
        tries = 0
        while not await self._is_open():
            if faults.is_cancelled():
                raise asyncio.CancelledError  # the library may swallow one while it connects
            await asyncio.sleep(pause(tries))
            tries += 1
        self._keeper = asyncio.ensure_future(self._keep())

    async def _is_open(self) -> bool:
        try:
            await self._connect()
        except BrokerAway as error:
            await self._drop()
            self._on_lost(str(error))
            return False
        except BaseException:
            await self._drop()
            raise
        return True

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
            UserError: it cannot be written.
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
        """One more to take by. Its end is that of the session.

        Raises:
            BrokerLost: there is no connection at the moment.
        """
        if not self._connections:
            raise BrokerLost(f"the broker at {self._url.place}: it is away")
        return await self._connections[0].channel(lost=self._end)

    async def has(self, queue: str) -> bool:
        """Whether there is such a queue. To ask for one that is not costs the channel, and no more.

        Raises:
            BrokerLost: there is no connection at the moment.
        """
        if not self._connections:
            raise BrokerLost(f"the broker at {self._url.place}: it is away")
        return await self._connections[0].has(queue)

    # Below -----------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        tries = 0
        while True:
            if tries == 0:
                await self._ended.wait()
            await self._drop()
            await asyncio.sleep(pause(tries))
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
                await asyncio.wait_for(each.close(), LEAVE)

    def _end(self, why: str) -> None:
        if not self._closing and not self._ended.is_set():
            self._ended.set()
            if self._out.done():
                self._out = asyncio.get_running_loop().create_future()
            self._on_lost(why)
