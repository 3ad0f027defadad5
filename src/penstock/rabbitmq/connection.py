"""A connection to RabbitMQ.

aio-pika is two packages: aiormq speaks the protocol, and aio_pika puts objects and a recovery of its own on
top. The lower one is used here, and known to this module, ``channel`` and ``faults`` alone: a message costs
less, and who holds deliveries must himself see each end of a connection, as none may be settled on another
channel than it has come by.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import ssl
from typing import TYPE_CHECKING, Any, Callable, Mapping, cast

from penstock.errors import BrokerAway, BrokerFault, BrokerLost, EnvironmentFault
from penstock.rabbitmq import faults
from penstock.rabbitmq.channel import Channel
from penstock.rabbitmq.policies import Version, version_of
from penstock.rabbitmq.url import BrokerUrl
from penstock.rabbitmq.wire import Plug, Wire

if TYPE_CHECKING:
    import aiormq.channel
    import aiormq.connection

HEARTBEAT = 30
"""Seconds; a peer that has said nothing for three times as long is gone."""
CONNECT = 10.0
"""Seconds to reach it and to log in."""
FIRST, LONGEST = 0.1, 5.0
"""Seconds before it is tried again: at first, and at last."""

Lost = Callable[[str], None]
"""Is told once that something has ended that was not closed from here, and why."""


async def connect(url: BrokerUrl, *, name: str, lost: Lost | None = None) -> Connection:
    """Make one connection, to the first node that will have us.

    Args:
        url: Where to.
        name: What the broker's own pages call it.
        lost: Who makes a new one.

    Raises:
        EnvironmentFault: the library is not installed.
        BrokerFault: there is no broker, it is none, or it does not let us in.
        UserError: the password's file or variable cannot be read.
    """
    refusals: list[BrokerFault] = []
    for node in url.nodes:
        try:
            return await _connect(node, name, lost)
        except BrokerFault as error:
            refusals.append(error)
    # One that has answered has more to say than one that is away.
    raise next((each for each in refusals if not isinstance(each, BrokerAway)), refusals[-1])


async def reach(url: BrokerUrl, *, name: str, away: Callable[[str], None]) -> Connection:
    """The same, however long nobody is there: ``away`` is told why, once.

    Raises:
        EnvironmentFault, BrokerFault, UserError: as of ``connect``, for all but that.
    """
    tries = 0
    while True:
        try:
            return await connect(url, name=name)
        except BrokerAway as error:
            if not tries:
                away(str(error))
            if faults.is_cancelled():
                raise asyncio.CancelledError from None  # the library has swallowed it while it connected
            await asyncio.sleep(pause(tries))
            tries += 1


def pause(tries: int) -> float:
    """Seconds before the next try to connect. Each has another: a broker that comes back is not to meet all
    at once."""
    return min(LONGEST, FIRST * 2.0 ** min(tries, 10)) * (0.5 + random.random())  # noqa: S311


async def _connect(url: BrokerUrl, name: str, lost: Lost | None) -> Connection:
    aiormq = _library()
    line = _line(url, url.reveal(os.environ), name)
    plug = Plug()
    underneath = aiormq.Connection(line, context=context(url), transport_factory=plug)
    try:
        async with asyncio.timeout(CONNECT):
            await underneath.connect()
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no connection
        # Without what it stems from: the frames of the library know the password.
        raise faults.not_connected(url, error) from None
    assert plug.wire is not None
    return Connection(url, underneath, plug.wire, lost)


class Connection:
    """One, that is there. When it ends it is not made again here: that is its owner's."""

    def __init__(
        self, url: BrokerUrl, underneath: aiormq.connection.Connection, wire: Wire, lost: Lost | None
    ) -> None:
        self.url = url
        self._underneath = underneath
        self._wire = wire
        self._lost = lost
        self._closing = False
        underneath.closing.add_done_callback(self._ended)

    @property
    def about(self) -> Mapping[str, Any]:
        """What the broker says of itself: ``product``, ``version``, ``cluster_name``, ``capabilities``."""
        return dict(self._underneath.server_properties or {})

    @property
    def version(self) -> Version:
        """Of the broker."""
        return version_of(self.about.get("version"))

    @property
    def alive(self) -> bool:
        """Whether it can be used."""
        return not self._closing and self._underneath.is_opened

    async def blocked(self) -> bool:
        """Whether the broker takes no messages at the moment: it is short of memory or of disk."""
        try:
            await asyncio.wait_for(self._underneath.ready(), 0.01)
        except TimeoutError:
            return True
        return False

    async def channel(self, *, lost: Lost | None = None) -> Channel:
        """A channel, whose publishes are confirmed.

        Raises:
            BrokerLost: the connection has ended.
        """
        opened = self._underneath.channel(on_return_raises=True)
        underneath = cast("aiormq.channel.Channel", await faults.answered(opened, self.url))
        return Channel(self.url, self.version, underneath, self._wire, lost)

    async def has(self, queue: str) -> bool:
        """Whether there is such a queue. To ask for one that is not costs a channel.

        Raises:
            BrokerLost: the connection has ended.
        """
        channel = await self.channel()
        try:
            await channel.depth(queue)
        except BrokerLost:
            raise
        except BrokerFault:
            return False
        await channel.close()
        return True

    async def close(self) -> None:
        """End it. What was not settled goes to somebody else."""
        self._closing = True
        await self._underneath.close()

    def _ended(self, closing: asyncio.Future[Any]) -> None:
        error = None if closing.cancelled() else closing.exception()
        if not self._closing:
            self._closing = True
            if self._lost is not None:
                self._lost(faults.why(error))


def _library() -> Any:
    try:
        import aiormq
    except ModuleNotFoundError:
        raise EnvironmentFault(
            "jobs over RabbitMQ need aio-pika, which is not installed here: pip install 'penstock[rabbitmq]'"
        ) from None
    # It logs what it raises as well; where nobody listens, Python would print that.
    logging.getLogger("aiormq").addHandler(logging.NullHandler())
    return aiormq


def _line(url: BrokerUrl, password: str, name: str) -> Any:
    from yarl import URL

    return URL.build(
        scheme="amqps" if url.tls else "amqp",
        user=url.user or None,
        password=password or None,
        host=url.host,
        port=url.port,
        path="/" + url.vhost.replace("/", "%2F"),
        query={"name": name, "heartbeat": str(HEARTBEAT), "auth": "external" if url.external else "plain"},
    )


def context(url: BrokerUrl) -> ssl.SSLContext | None:
    """How the broker is known, and we to it; nothing: without TLS.

    Raises:
        BrokerFault: a certificate cannot be read.
    """
    if not url.tls:
        return None
    try:
        found = ssl.create_default_context(cafile=url.ca or None)
    except OSError as error:
        raise BrokerFault(f"{url}: ca={url.ca} holds no certificates: {faults.short(error)}") from None
    try:
        if url.cert:
            found.load_cert_chain(url.cert, url.key)
    except OSError as error:
        raise BrokerFault(f"{url}: cert={url.cert}, key={url.key}: {faults.short(error)}") from None
    return found
