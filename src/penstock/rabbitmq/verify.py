"""What a worker looks at before it takes jobs: that the broker is one for it, and that its account may do its
work.

Nothing is declared or changed. What needs more rights than a worker has is ``examination``'s.
"""

from __future__ import annotations

import secrets
from typing import Callable, Mapping

from penstock.errors import BrokerFault, EnvironmentFault, TimedOut, Unroutable
from penstock.rabbitmq import holding, topology
from penstock.rabbitmq.connection import Connection, reach
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.policies import OLDEST
from penstock.rabbitmq.remark import Remark
from penstock.rabbitmq.url import BrokerUrl

NAME = "penstock worker, looking"
PROBE = "probe"
"""The kind of an event for which nobody has a queue."""
SOON = 10.0
"""Seconds for a broker that takes messages to say so."""
SHORT = Remark(
    "alarms",
    "bad",
    "it takes no messages: it is short of memory or of disk",
    "make room on the broker (rabbitmq-diagnostics alarms says which)",
)


async def before(url: BrokerUrl, groups: Mapping[str, float], away: Callable[[str], None]) -> list[Remark]:
    """``insist``, before there is a worker, on a connection of its own. A broker that is away is waited for,
    and ``away`` is told so.

    Raises:
        EnvironmentFault: the broker does not let us in, or something is bad.
    """
    connection = await reach(url, name=NAME, away=away)
    try:
        return await insist(connection, groups)
    finally:
        await connection.close()


async def insist(connection: Connection, groups: Mapping[str, float]) -> list[Remark]:
    """Look, and refuse to start where something is bad. What is only doubtful comes back.

    Args:
        connection: Of the worker.
        groups: Those that it runs, with the milliseconds for which their jobs may be held
            (``holding.needed``).

    Raises:
        EnvironmentFault: the first that is bad, with its cure.
    """
    remarks = await verify(connection, groups)
    for remark in remarks:
        if remark.verdict == "bad":
            cure = f"; {remark.cure}" if remark.cure else ""
            raise EnvironmentFault(f"the broker at {connection.url.place}: {remark.text}{cure}")
    return [remark for remark in remarks if remark.verdict == "doubtful"]


async def verify(connection: Connection, groups: Mapping[str, float]) -> list[Remark]:
    """All that a worker can see."""
    remarks = [judge_version(connection)]
    if remarks[0].verdict == "bad":
        return remarks
    for group in sorted(groups):
        remarks.append(await _queue(connection, group))
        remarks.append(await _account(connection, group))
    limit = holding.granted(connection.version, connection.url.consumer_timeout)
    return [*remarks, *holding.judge_all(groups, limit, connection.version)]


def judge_version(connection: Connection) -> Remark:
    """Of the broker."""
    product, said = connection.about.get("product"), connection.about.get("version")
    if product != "RabbitMQ":
        return Remark("version", "bad", f"it is {product} {said}, and jobs need RabbitMQ")
    if connection.version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Remark("version", "bad", f"RabbitMQ {said} is too old", f"use RabbitMQ {oldest} or later")
    return Remark("version", "good", f"RabbitMQ {said}")


async def _queue(connection: Connection, group: str) -> Remark:
    channel = await connection.channel()
    try:
        ready = await channel.declare_queue(topology.work_queue(group), passive=True)
    except BrokerFault as fault:
        if "NOT_FOUND" not in str(fault):
            return Remark("queues", "bad", str(fault))
        text = f"there is no queue for the group {group!r}"
        return Remark("queues", "bad", text, f"penstock broker init {connection.url} --group {group}")
    await channel.close()
    return Remark("queues", "good", f"{topology.work_queue(group)}: {ready} ready")


async def _account(connection: Connection, group: str) -> Remark:
    """Whether we may speak for the group and be spoken to: tried, with what reaches nobody."""
    try:
        await _speak(connection, group)
        if await connection.blocked():
            return SHORT
        await _listen(connection, group)
    except TimedOut as silence:
        return SHORT if await connection.blocked() else Remark("alarms", "bad", str(silence))
    except BrokerFault as fault:
        cure = f"penstock broker init {connection.url} --accounts DIR makes one that may"
        return Remark("account", "bad", f"may not run jobs of {group}: {fault}", cure)
    return Remark("account", "good", f"may run jobs of {group}")


async def _speak(connection: Connection, group: str) -> None:
    channel = await connection.channel()
    try:
        await channel.publish(topology.EVENTS, topology.event_key(group, PROBE), Message(), within=SOON)
    except Unroutable:
        # As it should be. One that takes no messages says so now: it waits for the first to come.
        return


async def _listen(connection: Connection, group: str) -> None:
    id = f"verify-{secrets.token_hex(4)}"
    inbox = topology.worker_inbox(group, id)
    channel = await connection.channel()
    await channel.inbox(inbox)
    await channel.bind(inbox, topology.CONTROL, topology.worker_key(group, id))
    await channel.delete_queue(inbox)
    await channel.close()
