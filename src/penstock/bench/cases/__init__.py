"""The cases, one file per family; ``CASES`` has them all in the order of the report."""

from __future__ import annotations

from penstock.bench.case import Case
from penstock.bench.cases import (
    arrays,
    brokered,
    calls,
    environments,
    hosts,
    idle,
    items,
    jobs,
    latency,
    net,
    patterns,
    recovery,
    start,
    topics,
)

STREAMS: dict[str, Case] = {
    case.name: case
    for family in (items, arrays, hosts, latency, start, idle, recovery, topics, calls)
    for case in family.CASES
}
ENVIRONMENTS: dict[str, Case] = {case.name: case for case in environments.CASES}
"""Those that need Python 3.9, 3.10 and 3.13, and NumPy from an index."""
BROKERED: dict[str, Case] = {case.name: case for case in brokered.CASES}
"""Those that need a RabbitMQ."""
TASKS: dict[str, Case] = {**{case.name: case for case in jobs.CASES}, **BROKERED}
RAY: dict[str, Case] = {case.name: case for case in calls.BESIDE_RAY}
"""Those that need Ray."""
PATTERNS: dict[str, Case] = {case.name: case for case in patterns.CASES}
NET: dict[str, Case] = {case.name: case for case in net.CASES}
CASES: dict[str, Case] = {**STREAMS, **ENVIRONMENTS, **TASKS, **PATTERNS, **NET, **RAY}
