"""A channel of a connection: it publishes, or has one consumer. A refusal of the broker ends it.

A channel with a consumer is alive when it is open *and* its consumer is registered. The broker may end either
without the other: who holds a delivery for too long loses the channel before 4.3, and the consumer alone
since then.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Mapping, Sequence, TypeVar

from penstock.errors import BrokerLost, PenstockError, TimedOut
from penstock.rabbitmq import faults, volley
from penstock.rabbitmq.message import Delivery, Message, Receipt
from penstock.rabbitmq.policies import Version
from penstock.rabbitmq.url import BrokerUrl
from penstock.rabbitmq.wire import Take, Wire

if TYPE_CHECKING:
    import aiormq.abc
    import aiormq.channel

PUBLISH = 30.0
"""Seconds within which a message is confirmed."""
CANCELLED = "the broker has ended the consumer: its queue is gone, or a delivery was held for too long"

Found = TypeVar("Found")
Lost = Callable[[str], None]


class Channel:
    """One. It is made by ``Connection.channel``."""

    def __init__(
        self,
        url: BrokerUrl,
        version: Version,
        underneath: aiormq.channel.Channel,
        wire: Wire,
        lost: Lost | None,
    ) -> None:
        self._url, self._version = url, version
        self._underneath = underneath
        self._wire = wire
        self._lost = lost
        self._closing = False
        self._tag = ""
        self._take: Take | None = None
        underneath.closing.add_done_callback(self._ended)
        underneath.on_consumer_cancel_callbacks.add(self._cancelled)

    @property
    def alive(self) -> bool:
        """Open; and if it has had a consumer, that one is still registered."""
        registered = not self._tag or self._tag in self._underneath.consumers
        return registered and not self._closing and not self._underneath.is_closed

    # -------------------------------------------------------------------------------- publishing

    async def publish(self, exchange: str, key: str, message: Message, *, within: float = PUBLISH) -> None:
        """Hand a message over: when this returns, the broker has it, in every queue that it belongs to.

        Many may be under way at once. If the channel ends first, nobody knows whether the broker has it:
        publish it again, with the same id.

        Raises:
            Unroutable: no queue takes it. The broker has not kept it.
            BrokerAway: the broker does not want it now: a queue is full, a leader is being elected. Try
                again.
            BrokerLost: the channel has ended.
            UserError: it cannot be written: a text is too long, or a header of no kind of AMQP's.
            TimedOut: it has not said so in time; perhaps it takes nothing, for want of memory or disk.
        """
        try:
            await self._underneath.basic_publish(
                message.body,
                exchange=exchange,
                routing_key=key,
                properties=_properties(message, self._url.user),
                mandatory=True,
                timeout=within,
                wait=False,
            )
        except TimeoutError:
            raise self._unconfirmed(within) from None
        except asyncio.CancelledError as error:
            raise faults.lost_not_cancelled(self._url, error) from None
        except Exception as error:
            raise faults.not_published(self._url, exchange, key, error) from error

    async def publish_many(
        self, postings: Sequence[tuple[str, str, Message]], *, within: float = PUBLISH
    ) -> list[PenstockError | None]:
        """Hand many messages over, in one go: what has become of each, in their order.

        It costs a third of as many publishes. No two of them may have one id.

        Args:
            postings: Exchange, key and message of each.
            within: Seconds within which all are confirmed.

        Returns:
            Nothing for one that the broker has; else the error that ``publish`` would have raised.
        """
        if not postings:
            return []
        user = self._url.user
        try:
            letters = [
                (exchange, key, each.body, _properties(each, user)) for exchange, key, each in postings
            ]
            waiting = await volley.send(self._underneath, letters)
        except asyncio.CancelledError as error:
            raise faults.lost_not_cancelled(self._url, error) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, none of them was sent
            return [faults.not_published(self._url, "", "", error)] * len(postings)
        await asyncio.wait(waiting, timeout=within)
        return [
            self._become(exchange, key, each, within)
            for each, (exchange, key, _) in zip(waiting, postings, strict=True)
        ]

    def _become(
        self, exchange: str, key: str, confirmation: asyncio.Future[Any], within: float
    ) -> PenstockError | None:
        if not confirmation.done():
            confirmation.cancel()
            return self._unconfirmed(within)
        if confirmation.cancelled():
            return faults.refusal(self._url, ConnectionError())
        error = confirmation.exception()
        return faults.not_published(self._url, exchange, key, error) if error else None

    def _unconfirmed(self, within: float) -> TimedOut:
        return TimedOut(
            f"the broker at {self._url.place} has not confirmed a message within {within:g} s; "
            "see `penstock broker doctor`"
        )

    # ------------------------------------------------------------------------------------ taking

    async def consume(self, queue: str, take: Take, *, prefetch: int, held: int = 0) -> None:
        """Have what comes to a queue, at most ``prefetch`` of it unsettled at a time.

        Args:
            queue: Its name.
            take: Is given each.
            prefetch: It counts for this consumer alone, and stays: quorum queues do not hear of a change. 0:
                nothing is to be settled; what has come has come.
            held: Milliseconds after which the broker takes a delivery back; 0: as it is configured. Before
                4.3 it cannot be said here.

        Raises:
            BrokerFault: there is no such queue, or it is not ours to read.
        """
        longest: Any = {"x-consumer-timeout": held} if held and self._version >= (4, 3) else None
        self._take = take
        self._wire.take(self._underneath.number, take)
        if prefetch:
            await self._answered(self._underneath.basic_qos(prefetch_count=prefetch, timeout=faults.ANSWER))
        asked = self._underneath.basic_consume(
            queue, _unheard, no_ack=not prefetch, arguments=longest, timeout=faults.ANSWER
        )
        self._tag = str((await self._answered(asked)).consumer_tag)

    async def leave(self) -> None:
        """Take no more. What has come can still be settled, and ``consume`` begins anew."""
        tag, self._tag = self._tag, ""
        if tag:
            await self._answered(self._underneath.basic_cancel(tag, timeout=faults.ANSWER))

    async def get(self, queue: str) -> Delivery | None:
        """One message at once, if there is any."""
        found = await self._answered(self._underneath.basic_get(queue, timeout=faults.ANSWER))
        return None if found.delivery_tag is None else _delivery(found)

    async def ack(self, tag: int, *, multiple: bool = False) -> None:
        """It is done. With ``multiple``, so are all that came before it.

        Raises:
            BrokerLost: as of ``settle``.
        """
        await self.settle([Receipt(tag, multiple)])

    async def settle(self, receipts: Sequence[Receipt]) -> None:
        """Say what becomes of deliveries, in that order and in one go.

        Raises:
            BrokerLost: the channel has ended, and the deliveries are somebody else's.
        """
        try:
            await volley.settle(self._underneath, receipts)
        except asyncio.CancelledError as error:
            raise faults.lost_not_cancelled(self._url, error) from None
        except Exception as error:
            raise BrokerLost(f"the broker at {self._url.place}: {faults.why(error)}") from error

    # --------------------------------------------------------------------------------- declaring

    async def inbox(self, name: str, *, most: int = 0) -> None:
        """A queue of one's own, that ends with the connection. ``topology`` names it, as permissions go by
        names.

        Args:
            name: Its name.
            most: How many messages it holds; then the oldest is dropped. 0: all.
        """
        arguments = {"x-max-length": most, "x-overflow": "drop-head"} if most else None
        await self.declare_queue(name, arguments, exclusive=True)

    async def declare_exchange(self, name: str, *, passive: bool = False) -> None:
        """One that lasts, of the kind topic; with ``passive``, nothing is made: there must be one."""
        asked = self._underneath.exchange_declare(
            name, exchange_type="topic", durable=True, passive=passive, timeout=faults.ANSWER
        )
        await self._answered(asked)

    async def declare_queue(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        exclusive: bool = False,
        passive: bool = False,
    ) -> int:
        """One that lasts, or with ``exclusive`` as long as the connection. How many messages are ready in
        it."""
        asked = self._underneath.queue_declare(
            name,
            durable=not exclusive,
            exclusive=exclusive,
            passive=passive,
            arguments=dict(arguments or {}),
            timeout=faults.ANSWER,
        )
        return (await self._answered(asked)).message_count or 0

    async def depth(self, queue: str) -> tuple[int, int]:
        """How many messages are ready in a queue, and how many consumers it has."""
        asked = self._underneath.queue_declare(queue, durable=True, passive=True, timeout=faults.ANSWER)
        found = await self._answered(asked)
        return found.message_count or 0, found.consumer_count or 0

    async def bind(self, queue: str, exchange: str, key: str) -> None:
        """Have messages of that key come to the queue."""
        await self._answered(self._underneath.queue_bind(queue, exchange, key, timeout=faults.ANSWER))

    async def delete_queue(self, name: str) -> None:
        """With all that is in it."""
        await self._answered(self._underneath.queue_delete(name, timeout=faults.ANSWER))

    async def close(self) -> None:
        """End it. What was not settled goes to somebody else."""
        self._closing = True
        await self._underneath.close()

    # ----------------------------------------------------------------------------------- its end

    async def _answered(self, asked: Awaitable[Found]) -> Found:
        return await faults.answered(asked, self._url)

    def _ended(self, closing: asyncio.Future[Any]) -> None:
        self._end(faults.why(None if closing.cancelled() else closing.exception()))

    def _cancelled(self, _: object) -> None:
        self._end(CANCELLED)

    def _end(self, why: str) -> None:
        if self._take is not None:
            self._wire.leave(self._underneath.number, self._take)
        if not self._closing:
            self._closing = True
            if self._lost is not None:
                self._lost(why)


async def _unheard(_: object) -> None:
    """In the library's place for who consumes: ``wire`` has taken all deliveries out."""


def _properties(message: Message, user: str) -> aiormq.spec.Basic.Properties:
    from aiormq import spec

    return spec.Basic.Properties(
        message_id=message.id or None,
        message_type=message.type or None,
        content_type=message.content_type,
        headers=dict(message.headers) or None,
        delivery_mode=2,
        reply_to=message.reply_to or None,
        correlation_id=message.correlation or None,
        user_id=user or None,
        expiration=str(message.expires) if message.expires else None,
    )


def _delivery(came: aiormq.abc.DeliveredMessage) -> Delivery:
    said = came.header.properties
    message = Message(
        body=came.body,
        type=said.message_type or "",
        id=said.message_id or "",
        content_type=said.content_type or "",
        headers=said.headers or {},
        reply_to=said.reply_to or "",
        correlation=said.correlation_id or "",
        user=said.user_id or "",
    )
    return Delivery(
        message=message,
        tag=came.delivery_tag or 0,
        exchange=came.exchange or "",
        key=came.routing_key or "",
        redelivered=bool(came.redelivered),
    )
