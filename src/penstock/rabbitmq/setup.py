"""Set a broker up: look what it has, say what is missing, and make it so. To be done as often as one
likes."""

from __future__ import annotations

import os
import shlex
from typing import Mapping, NamedTuple

from penstock.errors import BrokerFault
from penstock.rabbitmq.accounts import Account
from penstock.rabbitmq.connection import Connection, connect
from penstock.rabbitmq.declaration import declare
from penstock.rabbitmq.difference import Change, difference
from penstock.rabbitmq.inventory import Inventory, granted, policy, tags, taken
from penstock.rabbitmq.management import Management, Refused
from penstock.rabbitmq.policies import OLDEST, Policy, Version, policies, version_of
from penstock.rabbitmq.secretfile import secret_for
from penstock.rabbitmq.topology import Topology
from penstock.rabbitmq.url import BrokerUrl

NAME = "penstock broker init"
BY_AMQP = frozenset({"exchange", "queue", "binding"})
RIGHTS = {"policy": {"administrator", "policymaker"}}
"""Tags of which one is enough, by the kind of change; for all others only the first."""


class Wanted(NamedTuple):
    """What a broker is to have."""

    topology: Topology
    accounts: tuple[Account, ...] = ()
    secrets: str = ""
    """The directory for secrets of accounts."""


class Plan(NamedTuple):
    """What is to be done."""

    version: Version
    policies: tuple[Policy, ...]
    changes: tuple[Change, ...]
    """Those that can be made."""
    left: tuple[Change, ...] = ()
    """Those that we may not make."""
    why: str = ""
    """Why something is left."""
    compared: bool = True
    """Whether all could be seen, so that what is not to be changed need not be touched."""


async def prepare(url: BrokerUrl, wanted: Wanted) -> tuple[Plan, Management | None]:
    """Look, and change nothing.

    Raises:
        BrokerFault: the broker cannot be reached, or is too old, or there is no such virtual host and nobody
            to make it.
    """
    management, rights, why = _management(url)
    compared = "administrator" in rights
    there = taken(management, url.vhost) if management and compared else None
    if management and there is not None and not there.vhost:
        # Nobody can log in yet.
        version = version_of(management.get("overview")["rabbitmq_version"])
    else:
        connection = await _connected(url, management)
        version = connection.version
        there = there or await _seen(connection, management, wanted)
        await connection.close()
    _refuse_old(url, version)
    wanted_policies = policies(version)
    all_of_it = difference(url.vhost, there, wanted.topology, wanted_policies, wanted.accounts)
    may = [change for change in all_of_it if _may(change, rights)]
    left = tuple(change for change in all_of_it if change not in may)
    return Plan(version, wanted_policies, tuple(may), left, why if left else "", compared), management


async def apply(url: BrokerUrl, wanted: Wanted, plan: Plan, management: Management | None) -> None:
    """Do it.

    Raises:
        BrokerFault: the broker refuses; what was done until then stays, and the next try goes on from there.
        UserError: a secret cannot be written.
    """
    kinds = {change.kind for change in plan.changes}
    if management and "virtual host" in kinds:
        management.put("vhosts", url.vhost, body={})
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        management.put("permissions", url.vhost, url.user, body=everything)
    if management:
        # Before the queues: a message that comes at once must find what is to become of it.
        _set_policies(management, url.vhost, plan)
    if kinds & BY_AMQP or not plan.compared:
        connection = await connect(url, name=NAME)
        try:
            await declare(await connection.channel(), wanted.topology)
        finally:
            await connection.close()
    for change in (*plan.changes, *plan.left):
        if change.kind == "account" and change.missing:
            secret_for(wanted.secrets, change.name)
    if management:
        _make_accounts(management, url.vhost, wanted, plan)


def _management(url: BrokerUrl) -> tuple[Management | None, set[str], str]:
    """The API with what we may do there; without, why."""
    management = Management(url, os.environ)
    try:
        return (
            management,
            set(tags(management.get("whoami")["tags"])),
            (f"user {url.user!r} has no tag for it (administrator, or policymaker for policies)"),
        )
    except Refused as refused:
        return None, set(), str(refused)
    except BrokerFault as fault:
        return None, set(), f"{fault} (rabbitmq-plugins enable rabbitmq_management)"


async def _connected(url: BrokerUrl, management: Management | None) -> Connection:
    try:
        return await connect(url, name=NAME)
    except BrokerFault as fault:
        if management or "virtual host" not in str(fault):
            raise
        host, user = shlex.quote(url.vhost), shlex.quote(url.user)
        raise BrokerFault(
            f"{url}: there is no virtual host {url.vhost!r}, or no leave to use it, and no management API to"
            f" see to that: rabbitmqctl add_vhost {host};"
            f" rabbitmqctl set_permissions -p {host} {user} '.*' '.*' '.*'"
        ) from None


async def _seen(connection: Connection, management: Management | None, wanted: Wanted) -> Inventory:
    """What can be seen without the rights of an administrator: what there is by name, but no bindings."""
    queues = {
        each.name: each.arguments
        for each in wanted.topology.queues
        if await _is_there(connection, each.name, queue=True)
    }
    exchanges = {
        name: "topic" for name in wanted.topology.exchanges if await _is_there(connection, name, queue=False)
    }
    return Inventory(
        vhost=True,
        queues=queues,
        exchanges=exchanges,
        # They were made together with their queues, as far as one can tell; `apply` makes them anyway.
        bindings=frozenset(each for each in wanted.topology.bindings if each.queue in queues),
        policies=_policies_seen(management, connection),
    )


def _policies_seen(management: Management | None, connection: Connection) -> Mapping[str, Policy]:
    if management is None:
        return {}
    try:
        said = management.get("policies", connection.url.vhost)
    except Refused:
        return {}
    return {each["name"]: policy(each) for each in said}


async def _is_there(connection: Connection, name: str, *, queue: bool) -> bool:
    # A channel each: a refusal ends it.
    channel = await connection.channel()
    try:
        if queue:
            await channel.declare_queue(name, passive=True)
        else:
            await channel.declare_exchange(name, passive=True)
    except BrokerFault:
        return False
    await channel.close()
    return True


def _refuse_old(url: BrokerUrl, version: Version) -> None:
    if version < OLDEST:
        raise BrokerFault(
            f"{url}: this is RabbitMQ {version[0]}.{version[1]}; jobs need {OLDEST[0]}.{OLDEST[1]} or later"
        )


def _may(change: Change, rights: set[str]) -> bool:
    return change.kind in BY_AMQP or bool(rights & RIGHTS.get(change.kind, {"administrator"}))


def _set_policies(management: Management, vhost: str, plan: Plan) -> None:
    names = {change.name for change in plan.changes if change.kind == "policy"}
    for each in plan.policies:
        if each.name in names:
            management.put("policies", vhost, each.name, body=each.body)


def _make_accounts(management: Management, vhost: str, wanted: Wanted, plan: Plan) -> None:
    by_name = {account.name: account for account in wanted.accounts}
    for change in plan.changes:
        account = by_name.get(change.name.partition(" ")[0])
        if account is None:
            continue
        if change.kind == "account":
            _make_user(management, account, wanted.secrets, change)
        elif change.kind == "permissions":
            body = dict(zip(("configure", "write", "read"), granted(account), strict=True))
            management.put("permissions", vhost, account.name, body=body)
        elif change.kind == "keys":
            (keys,) = (each for each in account.keys if change.name == f"{account.name} {each.exchange}")
            management.put("topic-permissions", vhost, account.name, body=keys._asdict())


def _make_user(management: Management, account: Account, directory: str, change: Change) -> None:
    """Its tags are ours to say; the secret of one that is there already is not changed."""
    there = {} if change.missing else management.get("users", account.name)
    proof = (
        {"password": secret_for(directory, account.name)[1]}
        if change.missing
        else {key: there[key] for key in ("password_hash", "hashing_algorithm") if key in there}
    )
    management.put("users", account.name, body={**proof, "tags": ",".join(account.tags)})
