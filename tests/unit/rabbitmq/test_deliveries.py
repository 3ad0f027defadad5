"""Deliveries are taken out of what a connection reads, however it is cut; all else stays as it came."""

from __future__ import annotations

import asyncio
from typing import Any

from aiormq import spec
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from penstock.rabbitmq import wire
from penstock.rabbitmq.deliveries import Deliveries
from penstock.rabbitmq.message import Delivery, Message
from penstock.rabbitmq.wire import HEARTBEAT, Wire

MINE, OTHER = (1, 3), (2, 4)
"""Channels whose deliveries are taken out, and others."""

texts = st.text(max_size=20)
values = st.one_of(
    st.integers(-(2**60), 2**60),
    st.booleans(),
    texts,
    st.lists(st.integers(0, 9)),
    st.sampled_from([0.5, 0.25]),
)
headers = st.dictionaries(st.text(min_size=1, max_size=20), values, max_size=4)
messages = st.builds(
    Message,
    body=st.binary(max_size=50),
    type=texts,
    id=texts,
    content_type=texts,
    headers=headers,
    reply_to=texts,
    correlation=texts,
    user=texts,
)
deliveries = st.builds(
    Delivery,
    message=messages,
    tag=st.integers(1, 2**63 - 1),
    exchange=st.text("abz.-_", max_size=20),
    key=texts,
    redelivered=st.booleans(),
)


def _header(message: Message) -> ContentHeader:
    properties = spec.Basic.Properties(
        message_type=message.type or None,
        message_id=message.id or None,
        content_type=message.content_type or None,
        content_encoding="zip",
        headers=dict(message.headers) or None,
        delivery_mode=2,
        priority=3,
        reply_to=message.reply_to or None,
        correlation_id=message.correlation or None,
        expiration="100",
        user_id=message.user or None,
        app_id="else",
    )
    return ContentHeader(properties=properties, body_size=len(message.body))


def _frames(begin: Any, message: Message, channel: int, size: int) -> list[bytes]:
    bodies = [message.body[at : at + size] for at in range(0, len(message.body), size)]
    return [
        frame.marshal(each, channel)
        for each in (begin, _header(message), *(ContentBody(body) for body in bodies))
    ]


def _delivered(each: Delivery, channel: int, size: int = 20) -> list[bytes]:
    begin = spec.Basic.Deliver("ctag1.x", each.tag, each.redelivered, each.exchange, each.key)
    return _frames(begin, each.message, channel, size)


def _returned(message: Message, channel: int) -> list[bytes]:
    return _frames(spec.Basic.Return(312, "NO_ROUTE", "ps.jobs", "gpu"), message, channel, 20)


OTHERS = (
    HEARTBEAT,
    frame.marshal(spec.Basic.ConsumeOk("ctag1.x"), 1),
    frame.marshal(spec.Basic.Ack(7, True), 3),
    frame.marshal(spec.Channel.CloseOk(), 2),
)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_deliveries_are_taken_out_and_all_else_passes_in_its_order(data: st.DataObject) -> None:
    stream, passed, expected = b"", b"", []
    # Frames of several channels come between each other, those of one channel do not.
    under_way: dict[int, list[tuple[bytes, bool, Delivery | None]]] = {}
    for _ in range(data.draw(st.integers(0, 12))):
        channel = data.draw(st.sampled_from([*MINE, *OTHER]))
        kind = data.draw(st.sampled_from(["delivery", "return", "other"]))
        each = data.draw(deliveries)
        queue = under_way.setdefault(channel, [])
        if kind == "delivery":
            parts = _delivered(each, channel, data.draw(st.integers(1, 60)))
            is_mine = channel in MINE
            queue += [(part, is_mine, None) for part in parts[:-1]]
            queue.append((parts[-1], is_mine, each if is_mine else None))
        elif kind == "return":
            queue += [(part, False, None) for part in _returned(each.message, channel)]
        else:
            queue.append((data.draw(st.sampled_from(OTHERS)), False, None))
    while any(under_way.values()):
        channel = data.draw(st.sampled_from([channel for channel, queue in under_way.items() if queue]))
        part, is_mine, done = under_way[channel].pop(0)
        stream += part
        passed += b"" if is_mine else part
        expected += [(channel, done)] if done is not None else []
    found, left = Deliveries(), b""
    found.channels.update(MINE)
    came: list[tuple[int, Delivery]] = []
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        some, whole = found.sift(stream[begin:end])
        left, came = left + some, came + whole
    assert left + found.ended() == passed
    assert came == expected


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_what_is_no_amqp_passes_as_it_is(parts: list[bytes]) -> None:
    found, passed = Deliveries(), b""
    found.channels.update(MINE)
    for part in [b"HTTP/1.1 400 Bad Request\r\n", *parts]:
        passed += found.sift(part)[0]
    assert passed + found.ended() == b"HTTP/1.1 400 Bad Request\r\n" + b"".join(parts)


def test_of_properties_that_cannot_be_read_nothing_is_left_and_the_bytes_are_there() -> None:
    one = Delivery(
        message=Message(body=b"x", type="t", headers={"k": 1}), tag=1, exchange="", key="", redelivered=False
    )
    begin, header, body = _delivered(one, 1)
    at = header.index(b"\x01k") + 2
    found = Deliveries()
    found.channels.update(MINE)
    _, [(_, bad)] = found.sift(begin + header[:at] + b"?" + header[at + 1 :] + body)
    assert (bad.message.type, bad.message.headers, bad.message.body) == ("", {}, b"x")
    assert found.sift(b"".join(_delivered(one, 1))) == (b"", [(1, one)])


def test_the_library_hears_that_the_connection_lives_where_deliveries_alone_come() -> None:
    one = Delivery(message=Message(body=b"x", type="t"), tag=1, exchange="", key="", redelivered=False)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        loop.time = lambda: now  # type: ignore[method-assign]
        came: list[Delivery] = []
        reader = Wire(loop)
        reader.take(1, came.append)
        for _ in range(4):
            now += wire.PULSE * 0.6
            reader.feed_data(b"".join(_delivered(one, 1)))
        reader.feed_eof()
        assert came == [one] * 4
        assert await reader.read() == HEARTBEAT * 2

    asyncio.run(run())


def test_whoever_cannot_take_a_delivery_does_not_end_the_connection() -> None:
    one = Delivery(message=Message(body=b"x", type="t"), tag=1, exchange="", key="", redelivered=False)

    async def run() -> None:
        loop, troubles = asyncio.get_running_loop(), list[Any]()
        loop.set_exception_handler(lambda _, context: troubles.append(context["exception"]))

        def take(delivery: Delivery) -> None:
            raise KeyError(delivery.tag)

        reader = Wire(loop)
        reader.take(1, take)
        reader.feed_data(b"".join(_delivered(one, 1)) + HEARTBEAT)
        reader.leave(1, take)
        reader.feed_data(b"".join(_delivered(one, 1)))
        reader.feed_eof()
        assert [type(each) for each in troubles] == [KeyError]
        assert await reader.read() == HEARTBEAT + b"".join(_delivered(one, 1))

    asyncio.run(run())


def test_a_key_that_is_no_utf8_is_a_delivery_like_others() -> None:
    each = Delivery(message=Message(body=b"x"), tag=1, exchange="e", key="kkkk", redelivered=False)
    found = Deliveries()
    found.channels.update(MINE)
    passed, came = found.sift(b"".join(_delivered(each, 1)).replace(b"kkkk", b"k\xff\xfek"))
    assert (passed, [delivery.key for _, delivery in came]) == (b"", ["k\ufffd\ufffdk"])
    assert len(found.sift(b"".join(_delivered(each, 1)))[1]) == 1


@given(st.integers(4, 40))
def test_a_delivery_that_ends_too_soon_is_left_to_the_library(size: int) -> None:
    each = Delivery(message=Message(body=b"x"), tag=1, exchange="e", key="k" * 200, redelivered=False)
    whole = _delivered(each, 1)[0]
    cut = whole[:3] + size.to_bytes(4, "big") + whole[7 : 7 + size] + b"\xce"
    found = Deliveries()
    found.channels.update(MINE)
    passed, came = found.sift(HEARTBEAT + cut + HEARTBEAT)
    assert not came
    assert passed + found.ended() in {HEARTBEAT + cut + HEARTBEAT, HEARTBEAT + HEARTBEAT}
