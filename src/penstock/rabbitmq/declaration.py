"""Make on the broker what ``topology`` says. Only who sets a broker up does this: others find it there."""

from __future__ import annotations

from penstock.rabbitmq.channel import Channel
from penstock.rabbitmq.topology import Topology


async def declare(channel: Channel, wanted: Topology) -> None:
    """Exchanges, queues and bindings. What is there already stays as it is, with all that is in it.

    Raises:
        BrokerFault: we may not, or there is something of that name which is not the same.
    """
    for exchange in wanted.exchanges:
        await channel.declare_exchange(exchange)
    for queue in wanted.queues:
        await channel.declare_queue(queue.name, queue.arguments)
    for binding in wanted.bindings:
        await channel.bind(binding.queue, binding.exchange, binding.key)
