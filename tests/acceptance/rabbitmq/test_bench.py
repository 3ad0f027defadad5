"""The benchmark over a real broker: each run begins with empty queues, and nobody's jobs are lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from penstock.bench.cases.brokered import CASES, brokered
from penstock.bench.stand import QUICK, Stand
from penstock.errors import BrokerFault, UserError
from penstock.rabbitmq import topology
from penstock.rabbitmq.channel import Channel
from penstock.rabbitmq.connection import connect
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import parse
from tests.rabbit import set_up

PATIENCE = 60.0


async def _on(broker: str, act: Callable[[Channel], Awaitable[None]]) -> None:
    connection = await connect(parse(broker), name="test")
    try:
        async with asyncio.timeout(PATIENCE):
            await act(await connection.channel())
    finally:
        await connection.close()


@pytest.mark.slow
def test_a_run_begins_with_empty_queues_and_leaves_none(broker: str) -> None:
    set_up(broker, "bench")

    async def left(channel: Channel) -> None:
        await channel.publish(topology.JOBS, "bench", Message(body=b"of an earlier run"))

    async def looked(channel: Channel) -> None:
        with pytest.raises(BrokerFault, match="no queue"):
            await channel.depth(topology.work_queue("bench"))

    asyncio.run(_on(broker, left))
    latency = next(case for case in CASES if case.name == "tasks-rabbitmq-latency")
    assert latency.ours(Stand(QUICK, broker))["milliseconds"] > 0
    asyncio.run(_on(broker, looked))


def test_where_a_hub_keeps_jobs_nothing_is_measured(broker: str) -> None:
    set_up(broker, "bench", "gpu")

    async def keeps(channel: Channel) -> None:
        await channel.consume(topology.CLAIMS, lambda _: None, prefetch=1)
        with pytest.raises(UserError, match="give it a virtual host of its own"):
            await asyncio.to_thread(brokered(Stand(QUICK, broker)).__enter__)

    asyncio.run(_on(broker, keeps))
