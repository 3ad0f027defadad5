"""What lies in the queues of a broker, and who takes it: figures of the broker itself, whether a hub runs or
not."""

from __future__ import annotations

import os
from typing import Any, Iterable, Mapping, NamedTuple

from penstock.errors import BrokerFault
from penstock.rabbitmq import topology
from penstock.rabbitmq.connection import connect
from penstock.rabbitmq.management import Management
from penstock.rabbitmq.url import BrokerUrl

NAME = "penstock broker queues"
OURS = "ps."


class Depth(NamedTuple):
    """One queue."""

    queue: str
    ready: int
    """Messages that nobody has taken yet."""
    unsettled: int | None
    """Those that somebody has taken; it is not known without the management API."""
    consumers: int


async def census(url: BrokerUrl, groups: Iterable[str]) -> list[Depth]:
    """All queues that are there, as the management API knows them; else those of these groups, one by one.

    Raises:
        BrokerFault: the broker cannot be reached, or a queue is not there.
    """
    try:
        found = Management(url, os.environ).get("queues", url.vhost)
    except BrokerFault:
        return await _asked(url, groups)
    return sorted(
        _depth(each) for each in found if each["name"].startswith(OURS) and not each.get("exclusive")
    )


def _depth(said: Mapping[str, Any]) -> Depth:
    # One that was declared a moment ago has no figures yet.
    ready, unsettled = said.get("messages_ready", 0), said.get("messages_unacknowledged", 0)
    return Depth(said["name"], ready, unsettled, said.get("consumers", 0))


async def _asked(url: BrokerUrl, groups: Iterable[str]) -> list[Depth]:
    connection = await connect(url, name=NAME)
    try:
        channel = await connection.channel()
        names = sorted(queue.name for queue in topology.topology(groups).queues)
        found = []
        for name in names:
            ready, consumers = await channel.depth(name)
            found.append(Depth(name, ready, None, consumers))
        return found
    finally:
        await connection.close()
