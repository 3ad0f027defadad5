"""All that can be found out about a broker and its set-up: what ``penstock broker doctor`` says."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from typing import Any, Iterable, Mapping, Sequence

from penstock.errors import BrokerFault, PenstockError
from penstock.rabbitmq import holding, topology
from penstock.rabbitmq.accounts import accounts
from penstock.rabbitmq.connection import Connection, connect
from penstock.rabbitmq.difference import Change, difference
from penstock.rabbitmq.inventory import Inventory, taken
from penstock.rabbitmq.management import Management
from penstock.rabbitmq.policies import Policy, policies
from penstock.rabbitmq.remark import Remark
from penstock.rabbitmq.url import BrokerUrl
from penstock.rabbitmq.verify import judge_version, verify

NAME = "penstock broker doctor"
FEW = 3
"""So many names are said, of many that are missing."""


async def examine(url: BrokerUrl, groups: Mapping[str, float], configured: int = 0) -> list[Remark]:
    """Look at everything. Nothing is changed.

    Args:
        url: As whom, too: an administrator sees all, a worker only what is its own.
        groups: With the milliseconds for which their jobs may be held.
        configured: The broker's ``consumer_timeout`` in milliseconds, where somebody has asked its tools;
            else 0.
    """
    try:
        connection = await connect(url, name=NAME)
    except PenstockError as error:
        return [Remark("connection", "bad", str(error))]
    try:
        remarks = [Remark("connection", "good", str(url)), judge_secrecy(url), judge_version(connection)]
        there, found = _api(url)
        remarks += found
        if there is None:
            return [*remarks, *(await verify(connection, groups))[1:]]
        remarks += _set_up(connection, there, groups)
        limit = configured or holding.granted(connection.version, url.consumer_timeout)
        return [*remarks, *holding.judge_all(groups, limit, connection.version)]
    finally:
        await connection.close()


def judge_secrecy(url: BrokerUrl) -> Remark:
    """Who could read what goes over the connection."""
    if url.tls:
        return Remark("encryption", "good", f"TLS{', with a certificate of ours' if url.cert else ''}")
    if all(_is_local(node.host) for node in url.nodes):
        return Remark("encryption", "good", "none, and none needed: the broker is on this machine")
    text = "none: the password and all jobs can be read on the way"
    return Remark("encryption", "doubtful", text, "use amqps:// (ssl_options in the broker's rabbitmq.conf)")


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _api(url: BrokerUrl) -> tuple[Inventory | None, list[Remark]]:
    """What an administrator or a monitor can see; without, why not."""
    try:
        management = Management(url, os.environ)
        nodes, queues = management.get("nodes"), management.get("queues", url.vhost)
        there = taken(management, url.vhost)
    except BrokerFault as fault:
        text = f"{fault}; so policies, alarms and accounts cannot be seen"
        return None, [Remark("management", "doubtful", text, "look as a user with the tag administrator")]
    return there, [
        Remark("management", "good", " ".join(url.apis)),
        *judge_nodes(nodes),
        *judge_queues(queues, len(nodes)),
    ]


def judge_nodes(nodes: Sequence[Mapping[str, Any]]) -> list[Remark]:
    """Alarms and members of the cluster."""
    wrong = []
    for node in nodes:
        name = node["name"]
        if not node.get("running"):
            wrong.append(
                Remark(
                    "nodes",
                    "bad",
                    f"{name} does not run",
                    f"start {name}, or rabbitmqctl forget_cluster_node",
                )
            )
        if node.get("mem_alarm"):
            wrong.append(
                Remark(
                    "alarms",
                    "bad",
                    f"{name} is short of memory, and takes no messages",
                    "rabbitmq-diagnostics memory_breakdown",
                )
            )
        if node.get("disk_free_alarm"):
            wrong.append(
                Remark(
                    "alarms",
                    "bad",
                    f"{name} is short of disk, and takes no messages",
                    "make room there, or lower disk_free_limit",
                )
            )
        if node.get("partitions"):
            wrong.append(
                Remark(
                    "nodes",
                    "bad",
                    f"{name} has lost sight of {', '.join(node['partitions'])}",
                    "restart one side",
                )
            )
    return wrong or [Remark("nodes", "good", f"{len(nodes)} running, no alarm")]


def judge_queues(queues: Sequence[Mapping[str, Any]], nodes: int) -> list[Remark]:
    """Who takes what is in them, and on how many nodes they are."""
    ours = [queue for queue in queues if queue["name"].startswith("ps.")]
    remarks = []
    hub = [queue for queue in ours if queue["name"] == topology.STORE]
    if hub and not hub[0].get("consumers"):
        remarks.append(Remark("hub", "doubtful", "none runs, so nobody can ask for jobs", "penstock hub"))
    # One node's queue that was declared before the others came does not grow by itself.
    narrow = [queue["name"] for queue in ours if len(queue.get("members") or []) == 1]
    if nodes > 1 and narrow:
        text = f"{_some(narrow)} on one node of {nodes} alone"
        cure = "rabbitmq-queues grow NODE all --vhost-pattern VHOST --queue-pattern '^ps'"
        remarks.append(Remark("queues", "doubtful", text, cure))
    return remarks


def _set_up(connection: Connection, there: Inventory, groups: Mapping[str, float]) -> list[Remark]:
    """Whether it is as ``penstock broker init`` makes it."""
    url = connection.url
    wanted = topology.topology(groups)
    ours = [each for each in accounts(groups, url.vhost) if each.name in there.users]
    changes = difference(url.vhost, there, wanted, policies(connection.version), tuple(ours))
    words = " ".join(f"--group {name}" for name in wanted.groups)
    cure = f"penstock broker init {url} {words}"
    declared = [each for each in changes if each.kind in {"exchange", "queue", "binding"}]
    said = [each for each in changes if each.kind == "policy"]
    may = [each for each in changes if each.kind in {"account", "permissions", "keys"}]
    return [
        _judged("queues", declared, f"{len(wanted.queues)} queues, {len(wanted.bindings)} bindings", cure),
        _judged("policies", said, "as this version needs them", cure) if said else judge_force(there),
        *(
            [_judged("accounts", may, f"{len(ours)}, as they should be", f"{cure} --accounts DIR")]
            if ours
            else []
        ),
    ]


def _judged(subject: str, changes: Sequence[Change], text: str, cure: str) -> Remark:
    if not changes:
        return Remark(subject, "good", text)
    wrong = f"missing or different: {_some([f'{each.kind} {each.name}' for each in changes])}"
    return Remark(subject, "bad", wrong, cure)


def judge_force(there: Inventory) -> Remark:
    """Whether it is our policies that count. (The API says which does, but only some seconds later.)"""
    for queue in sorted(there.queues):
        force = in_force(queue, there.policies.values())
        if queue.startswith("ps.") and not (force and force.name.startswith("ps-")):
            name = force.name if force else "no policy"
            text = f"{name} is in force for {queue}, and not one of ours"
            return Remark("policies", "bad", text, f"give {name} a priority below 10, or another pattern")
    return Remark("policies", "good", "as this version needs them, and in force")


def in_force(queue: str, policies: Iterable[Policy]) -> Policy | None:
    """The one that counts for a queue."""
    matching = [
        each
        for each in policies
        if each.applies_to in {"all", "queues", "quorum_queues"} and re.search(each.pattern, queue)
    ]
    return max(matching, key=lambda each: each.priority, default=None)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more
