"""`penstock broker queues`: the broker's own figures, with the management API and without."""

from __future__ import annotations

import asyncio

from penstock.rabbitmq import topology
from penstock.rabbitmq.connection import connect
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import parse
from tests.acceptance.rabbitmq.conftest import Penstock
from tests.jobs import until
from tests.rabbit import Shared, free_port, set_up


async def _submit(url: str, count: int) -> None:
    connection = await connect(parse(url), name="test")
    channel = await connection.channel()
    await asyncio.gather(*(channel.publish(topology.JOBS, "gpu", Message()) for _ in range(count)))
    await connection.close()


def test_what_waits_is_counted_by_the_broker(penstock: Penstock, rabbit: Shared, broker: str) -> None:
    set_up(broker, "gpu")
    asyncio.run(_submit(broker, 3))

    def waiting(url: str) -> dict[str, tuple[int, int | None]]:
        said = penstock("broker", "queues", url, "--group", "gpu")["queues"]
        return {each["queue"]: (each["ready"], each["unsettled"]) for each in said}

    bare = broker.replace(str(rabbit.management_port), str(free_port()))
    by_amqp = waiting(bare)
    assert by_amqp[topology.work_queue("gpu")] == by_amqp[topology.SUBMITTED] == (3, None)
    assert by_amqp[topology.dead_queue("gpu")] == (0, None)
    # The API's figures are some seconds old.
    until(lambda: waiting(broker).get(topology.work_queue("gpu")) == (3, 0), "three are ready")
