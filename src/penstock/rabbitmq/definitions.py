"""A broker's set-up as a file that its own tools import: ``rabbitmqctl import_definitions``. A decision
module.

Users are not in it, as such a file is no place for their secrets, and with them go their permissions.
"""

from __future__ import annotations

from typing import Any

from penstock.rabbitmq.policies import Policy
from penstock.rabbitmq.topology import Topology


def definitions(vhost: str, topology: Topology, policies: tuple[Policy, ...]) -> dict[str, Any]:
    """All of it, in the form of the management API."""
    lasting = {"vhost": vhost, "durable": True, "auto_delete": False}
    return {
        "vhosts": [{"name": vhost}],
        "exchanges": [
            {**lasting, "name": name, "type": "topic", "internal": False, "arguments": {}}
            for name in topology.exchanges
        ],
        "queues": [{**lasting, "name": each.name, "arguments": each.arguments} for each in topology.queues],
        "bindings": [
            {
                "vhost": vhost,
                "source": each.exchange,
                "destination": each.queue,
                "destination_type": "queue",
                "routing_key": each.key,
                "arguments": {},
            }
            for each in topology.bindings
        ],
        "policies": [{"vhost": vhost, "name": each.name, **each.body} for each in policies],
    }
