"""A connection to a real broker: it delivers what it has confirmed, and says in a sentence what is wrong."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from penstock.errors import BrokerFault, BrokerLost, Unroutable
from penstock.rabbitmq.connection import Connection, connect
from penstock.rabbitmq.message import Delivery, Message
from penstock.rabbitmq.url import parse
from tests.proxy import proxy
from tests.rabbit import Authority, Node, Shared, fabric, free_port

PATIENCE = 60.0
PASSWORD = "hush-hush"


def _with(url: str, use: Callable[[Connection], Awaitable[None]]) -> None:
    async def run() -> None:
        connection = await connect(parse(url), name="test")
        try:
            async with asyncio.timeout(PATIENCE):
                await use(connection)
        finally:
            await connection.close()

    asyncio.run(run())


def _refusal(url: str) -> str:
    async def run() -> None:
        await connect(parse(url), name="test")

    with pytest.raises(BrokerFault) as refused:
        asyncio.run(run())
    assert PASSWORD not in str(refused.value)
    assert refused.value.__cause__ is None
    return str(refused.value)


def test_what_is_confirmed_is_delivered_as_it_was(broker: str) -> None:
    sent = Message(
        id="j1", body=b"\x00body", type="penstock.job/1", headers={"ps-n": 1}, reply_to="r", correlation="c"
    )

    async def use(connection: Connection) -> None:
        assert connection.version >= (3, 10)
        channel, came = await connection.channel(), asyncio.Queue[Delivery]()
        await channel.declare_exchange("ps.ctl")
        await channel.inbox("ps.reply.1")
        await channel.bind("ps.reply.1", "ps.ctl", "reply.1")
        await channel.consume("ps.reply.1", came.put_nowait, prefetch=1)
        await (await connection.channel()).publish("ps.ctl", "reply.1", sent)
        delivery = await came.get()
        assert (delivery.exchange, delivery.key, delivery.redelivered) == ("ps.ctl", "reply.1", False)
        assert delivery.message.user == "guest"
        assert delivery.message.body == sent.body
        assert (delivery.message.id, delivery.message.type) == ("j1", "penstock.job/1")
        assert delivery.message.headers == {"ps-n": 1}
        assert (delivery.message.reply_to, delivery.message.correlation) == ("r", "c")
        await channel.ack(delivery.tag)
        assert channel.alive

    _with(broker, use)


def test_a_message_that_no_queue_takes_is_an_error_of_its_publisher(broker: str) -> None:
    async def use(connection: Connection) -> None:
        channel = await connection.channel()
        await channel.declare_exchange("ps.jobs")
        with pytest.raises(Unroutable, match=r"has no queue for 'gpu' in ps\.jobs"):
            await channel.publish("ps.jobs", "gpu", Message())
        assert channel.alive

    _with(broker, use)


def test_many_at_once_are_told_apart_the_lost_from_the_kept(broker: str) -> None:
    async def use(connection: Connection) -> None:
        channel = await connection.channel()
        await channel.declare_exchange("ps.jobs")
        await channel.declare_queue("ps.q.gpu", {"x-queue-type": "quorum"})
        await channel.bind("ps.q.gpu", "ps.jobs", "gpu")
        keys = ["none" if number % 7 == 3 else "gpu" for number in range(300)]
        body = bytes(200_000)  # more than a frame holds
        sent = [Message(id=f"j{number}", body=body if number == 5 else b"") for number in range(300)]
        for _ in range(2):
            told = await channel.publish_many(
                [("ps.jobs", key, each) for key, each in zip(keys, sent, strict=True)]
            )
            assert [type(each) for each in told] == [
                Unroutable if key == "none" else type(None) for key in keys
            ]
            # What follows has the right number, too.
            await channel.publish("ps.jobs", "gpu", Message(id="last"))
            came = [await channel.get("ps.q.gpu") for _ in range(keys.count("gpu") + 1)]
            kept = [each.id for key, each in zip(keys, sent, strict=True) if key == "gpu"]
            assert [each and each.message.id for each in came] == [*kept, "last"]
            assert [len(each.message.body) for each in came if each and each.message.id == "j5"] == [200_000]
        assert await channel.publish_many([]) == []

    _with(broker, use)


def test_an_unsettled_delivery_comes_again_when_its_channel_ends(broker: str) -> None:
    async def use(connection: Connection) -> None:
        first, second, came = (
            await connection.channel(),
            await connection.channel(),
            asyncio.Queue[Delivery](),
        )
        await first.declare_exchange("ps.jobs")
        await first.declare_queue("ps.q.gpu", {"x-queue-type": "quorum"})
        await first.bind("ps.q.gpu", "ps.jobs", "gpu")
        await first.publish("ps.jobs", "gpu", Message(id="1"))
        await first.consume("ps.q.gpu", came.put_nowait, prefetch=1)
        held = await came.get()
        await first.close()
        await second.consume("ps.q.gpu", came.put_nowait, prefetch=1)
        again = await came.get()
        assert (again.message.id, again.redelivered, again.deliveries) == ("1", True, 1)
        with pytest.raises(BrokerLost):
            await first.ack(held.tag)

    _with(broker, use)


def test_a_channel_whose_queue_is_gone_says_so_once_and_is_not_alive(broker: str) -> None:
    async def use(connection: Connection) -> None:
        told = asyncio.Queue[str]()
        channel, other = await connection.channel(lost=told.put_nowait), await connection.channel()
        await other.declare_queue("ps.q.gpu", {"x-queue-type": "quorum"})
        await channel.consume("ps.q.gpu", lambda _: None, prefetch=1)
        await other.delete_queue("ps.q.gpu")
        assert "its queue is gone" in await told.get()
        assert not channel.alive
        assert connection.alive
        await channel.close()
        assert told.empty()

    _with(broker, use)


def test_a_refusal_ends_the_channel_and_not_the_connection(broker: str) -> None:
    async def use(connection: Connection) -> None:
        told = asyncio.Queue[str]()
        channel = await connection.channel(lost=told.put_nowait)
        with pytest.raises(BrokerFault, match=r"no queue 'ps\.q\.none'"):
            await channel.declare_queue("ps.q.none", passive=True)
        assert "NOT_FOUND" in await told.get()
        assert not channel.alive
        with pytest.raises(BrokerLost):
            await channel.publish("ps.jobs", "gpu", Message())
        assert (await connection.channel()).alive

    _with(broker, use)


def test_a_wrong_password_is_not_repeated(rabbit: Shared) -> None:
    said = _refusal(rabbit.url("/", password=PASSWORD))
    assert "the broker does not let user 'guest' in: is the password right?" in said
    assert "guest:***@" in said


def test_a_virtual_host_that_is_not_there_is_named(rabbit: Shared) -> None:
    assert "there is no virtual host 'none', or user 'guest' has no leave" in _refusal(rabbit.url("none"))


def test_nobody_there_is_a_sentence() -> None:
    assert _refusal(f"amqp://127.0.0.1:{free_port()}").endswith("cannot be reached: Connection refused")
    assert "cannot be reached" in _refusal("amqp://nobody.invalid")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"AMQP\x00\x01\x00\x00", b""])
def test_something_that_is_not_rabbitmq_is_a_sentence(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as peer:
                peer.recv(8)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        said = _refusal(f"amqp://ada:{PASSWORD}@127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert "what answers there is not RabbitMQ" in said


def test_a_broker_that_is_gone_ends_the_connection_and_what_waits(broker: str) -> None:
    port = parse(broker).port
    with proxy(port) as way:

        async def use(connection: Connection) -> None:
            lost = asyncio.Queue[str]()
            channel = await connection.channel(lost=lost.put_nowait)
            await channel.declare_exchange("ps.jobs")
            way.cut()
            assert await lost.get()
            assert not connection.alive
            with pytest.raises(BrokerLost):
                await channel.publish("ps.jobs", "gpu", Message())
            told = await channel.publish_many([("ps.jobs", "gpu", Message())] * 2)
            assert [type(each) for each in told] == [BrokerLost, BrokerLost]

        _with(broker.replace(f":{port}/", f":{way.port}/"), use)


def test_of_several_nodes_the_first_that_answers_is_used_and_one_that_refuses_is_named(broker: str) -> None:
    port = parse(broker).port
    nowhere = f"127.0.0.1:{free_port()}"

    async def use(connection: Connection) -> None:
        assert connection.url.port == port

    _with(broker.replace("@", f"@{nowhere},"), use)
    assert "cannot be reached" in _refusal(f"amqp://ada:{PASSWORD}@{nowhere},{nowhere}")
    said = _refusal(f"amqp://ada:{PASSWORD}@{nowhere},127.0.0.1:{port},{nowhere}/%2F")
    assert f"127.0.0.1:{port}" in said and "the broker does not let user 'ada' in" in said


def test_tls_with_our_own_authority_and_a_certificate_in_place_of_a_password(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    certificate, key = authority.issue("ps-worker-gpu")
    with fabric() as ground:
        port = free_port()
        node = Node(ground, settings=authority.settings(port)).start()
        node.ask("PUT", "users/ps-worker-gpu", {"password_hash": "", "tags": ""})
        leave = {"configure": ".*", "write": ".*", "read": ".*"}
        node.ask("PUT", "permissions/%2F/ps-worker-gpu", leave)

        async def use(connection: Connection) -> None:
            assert connection.alive

        mine = f"&cert={certificate}&key={key}"
        _with(f"amqps://guest:guest@127.0.0.1:{port}/%2F?ca={authority.certificate}", use)
        _with(f"amqps://127.0.0.1:{port}/%2F?ca={authority.certificate}{mine}", use)
        said = _refusal(f"amqps://guest:{PASSWORD}@127.0.0.1:{port}/%2F?ca={other.certificate}")
        assert "the broker's certificate is not to be trusted" in said
        assert "speaks no TLS" in _refusal(f"amqps://127.0.0.1:{node.port}/?ca={authority.certificate}")
        assert "write amqps://" in _refusal(f"amqp://127.0.0.1:{port}/")
        assert "holds no certificates" in _refusal(f"amqps://127.0.0.1:{port}/?ca={tmp_path}/none.pem")
