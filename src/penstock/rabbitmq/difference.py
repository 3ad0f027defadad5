"""What is missing on a broker, or is not as it should be, and the command that cures it. A decision
module."""

from __future__ import annotations

import json
import shlex
from typing import Iterator, Literal, NamedTuple

from penstock.rabbitmq.accounts import Account
from penstock.rabbitmq.inventory import Inventory, granted
from penstock.rabbitmq.policies import Policy
from penstock.rabbitmq.topology import Topology

Kind = Literal["virtual host", "exchange", "queue", "binding", "policy", "account", "permissions", "keys"]


class Change(NamedTuple):
    """One thing to be done."""

    kind: Kind
    name: str
    missing: bool
    """Else it is there, and differs."""
    command: str = ""
    """What does it by hand; empty: what is declared over AMQP, ``penstock broker init`` alone."""

    @property
    def text(self) -> str:
        """A line of a difference, as people know them."""
        return f"{'+' if self.missing else '~'} {self.kind} {self.name}"


def difference(
    vhost: str,
    there: Inventory,
    topology: Topology,
    policies: tuple[Policy, ...] = (),
    accounts: tuple[Account, ...] = (),
) -> tuple[Change, ...]:
    """All of it, in the order in which it is to be done. What is there and belongs to nobody here is let
    alone."""
    return (
        *([] if there.vhost else [Change("virtual host", vhost, True, _ctl("add_vhost", vhost))]),
        *_declared(there, topology),
        *_of_policies(vhost, there, policies),
        *(change for account in accounts for change in _of_account(vhost, there, account)),
    )


def _declared(there: Inventory, topology: Topology) -> Iterator[Change]:
    for exchange in topology.exchanges:
        if there.exchanges.get(exchange) != "topic":
            yield Change("exchange", exchange, exchange not in there.exchanges)
    for queue in topology.queues:
        if there.queues.get(queue.name) != queue.arguments:
            yield Change("queue", queue.name, queue.name not in there.queues)
    for binding in topology.bindings:
        if binding not in there.bindings:
            yield Change("binding", f"{binding.exchange} {binding.key} -> {binding.queue}", True)


def _of_policies(vhost: str, there: Inventory, policies: tuple[Policy, ...]) -> Iterator[Change]:
    for policy in policies:
        if there.policies.get(policy.name) != policy:
            yield Change(
                "policy", policy.name, policy.name not in there.policies, policy_command(vhost, policy)
            )


def _of_account(vhost: str, there: Inventory, account: Account) -> Iterator[Change]:
    name = account.name
    if there.users.get(name) != account.tags:
        missing = name not in there.users
        tagged = _ctl("set_user_tags", name, *account.tags)
        # It reads the password from its standard input.
        made = f"{_ctl('add_user', name)} <{name}" + (f" && {tagged}" if account.tags else "")
        yield Change("account", name, missing, made if missing else tagged)
    if there.permissions.get(name) != granted(account):
        command = _ctl("set_permissions", "-p", vhost, name, *granted(account))
        yield Change("permissions", name, name not in there.permissions, command)
    for keys in account.keys:
        if keys not in there.keys.get(name, ()):
            command = _ctl("set_topic_permissions", "-p", vhost, name, keys.exchange, keys.write, keys.read)
            said = {each.exchange for each in there.keys.get(name, ())}
            yield Change("keys", f"{name} {keys.exchange}", keys.exchange not in said, command)


def policy_command(vhost: str, policy: Policy) -> str:
    """What sets a policy by hand."""
    definition = json.dumps(dict(policy.definition), separators=(",", ":"))
    how = ("--priority", str(policy.body["priority"]), "--apply-to", policy.applies_to)
    return _ctl("set_policy", "-p", vhost, *how, policy.name, policy.pattern, definition)


def _ctl(*words: str) -> str:
    return shlex.join(["rabbitmqctl", *words])
