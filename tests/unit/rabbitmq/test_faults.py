"""What the library raises, and what it forgets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pamqp import frame
from pamqp.header import ContentHeader

from penstock.errors import BrokerLost, Unroutable, UserError
from penstock.rabbitmq.channel import Channel, _properties
from penstock.rabbitmq.faults import answered
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import parse

URL = parse("amqp://h")


def test_who_is_to_end_ends_though_the_answer_comes_at_that_moment() -> None:
    async def run() -> None:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(answered(asyncio.wait_for(answer, 60), URL))
        for _ in range(3):
            await asyncio.sleep(0)
        answer.set_result(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_what_the_library_cancels_is_a_connection_that_is_lost() -> None:
    async def run() -> None:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        answer.cancel()
        with pytest.raises(BrokerLost, match="h:5672: it has ended the connection"):
            await answered(answer, URL)

    asyncio.run(run())


def _marshalled(message: Message) -> bytes:
    return frame.marshal(ContentHeader(properties=_properties(message, ""), body_size=0), 1)


@pytest.mark.parametrize(
    "message",
    [Message(id="a" * 300), Message(correlation="\ud800"), Message(headers={"x": object()})],
)
def test_a_message_that_cannot_be_written_is_no_lost_connection(message: Message) -> None:
    class Underneath:
        number, max_content_size = 1, 1000
        closing: asyncio.Future[None]
        on_consumer_cancel_callbacks: set[object]

        async def basic_publish(self, body: bytes, **_: object) -> None:
            _marshalled(message)

    async def run() -> None:
        underneath: Any = Underneath()
        underneath.on_consumer_cancel_callbacks = set()
        underneath.closing = asyncio.get_running_loop().create_future()
        wire: Any = None
        channel = Channel(URL, (4, 0), underneath, wire, None)
        with pytest.raises(UserError, match="a message for 'k' cannot be written") as refused:
            await channel.publish("e", "k", message)
        assert not isinstance(refused.value, Unroutable)
        (told,) = await channel.publish_many([("e", "k", message)])
        assert type(told) is UserError

    asyncio.run(run())
