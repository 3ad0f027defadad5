"""What a broker has, as far as we may see it, in the terms of what it should have."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

import msgspec

from penstock.rabbitmq.accounts import Account, Keys
from penstock.rabbitmq.management import Management, Refused
from penstock.rabbitmq.policies import Policy
from penstock.rabbitmq.topology import Binding


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """One virtual host, and the users of the broker."""

    vhost: bool = False
    exchanges: Mapping[str, str] = {}
    """Their kinds, by their names."""
    queues: Mapping[str, Mapping[str, Any]] = {}
    """Their arguments, by their names."""
    bindings: frozenset[Binding] = frozenset()
    policies: Mapping[str, Policy] = {}
    users: Mapping[str, tuple[str, ...]] = {}
    """Their tags, by their names."""
    permissions: Mapping[str, tuple[str, str, str]] = {}
    keys: Mapping[str, frozenset[Keys]] = {}


def taken(management: Management, vhost: str) -> Inventory:
    """Look.

    Raises:
        BrokerFault: we may not, or nobody answers.
    """
    if management.find("vhosts", vhost) is None:
        return Inventory(users=_users(management))
    queues = management.get("queues", vhost)
    return Inventory(
        vhost=True,
        exchanges={each["name"]: each["type"] for each in management.get("exchanges", vhost)},
        queues={each["name"]: each["arguments"] for each in queues if not each.get("exclusive")},
        bindings=frozenset(_bindings(management.get("bindings", vhost))),
        policies={each["name"]: policy(each) for each in management.get("policies", vhost)},
        users=_users(management),
        permissions=_permissions(management, vhost),
        keys=_keys(management, vhost),
    )


def _bindings(said: Iterable[Mapping[str, Any]]) -> Iterable[Binding]:
    for each in said:
        if each["source"] and each["destination_type"] == "queue":
            yield Binding(each["source"], each["routing_key"], each["destination"])


def policy(said: Mapping[str, Any]) -> Policy:
    """As the API says it."""
    return Policy(
        said["name"], said["pattern"], said["definition"], said["apply-to"], said.get("priority", 0)
    )


def _users(management: Management) -> Mapping[str, tuple[str, ...]]:
    return {each["name"]: tags(each["tags"]) for each in _allowed(management, "users")}


def _allowed(management: Management, *path: str) -> list[Mapping[str, Any]]:
    """What only an administrator sees; for others there is none."""
    try:
        return list(management.get(*path))
    except Refused as refused:
        if refused.status in {401, 403}:
            return []
        raise


def tags(said: Any) -> tuple[str, ...]:
    """A list of them; before 3.9 it was a text with commas."""
    listed = said.split(",") if isinstance(said, str) else said
    return tuple(sorted(each for each in listed if each))


def _permissions(management: Management, vhost: str) -> Mapping[str, tuple[str, str, str]]:
    return {
        each["user"]: (each["configure"], each["write"], each["read"])
        for each in _allowed(management, "vhosts", vhost, "permissions")
    }


def _keys(management: Management, vhost: str) -> Mapping[str, frozenset[Keys]]:
    found: dict[str, set[Keys]] = {}
    for each in _allowed(management, "vhosts", vhost, "topic-permissions"):
        found.setdefault(each["user"], set()).add(Keys(each["exchange"], each["write"], each["read"]))
    return {user: frozenset(keys) for user, keys in found.items()}


def granted(account: Account) -> tuple[str, str, str]:
    """The three patterns of an account, in the order of the broker's tools."""
    return account.configure, account.write, account.read
