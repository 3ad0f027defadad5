"""The cases, one file per family; ``CASES`` has them all in the order of the report."""

from __future__ import annotations

from penstock.bench.case import Case
from penstock.bench.cases import arrays, brokered, idle, items, jobs, latency, recovery, start

STREAMS: dict[str, Case] = {
    case.name: case for family in (items, arrays, latency, start, idle, recovery) for case in family.CASES
}
BROKERED: dict[str, Case] = {case.name: case for case in brokered.CASES}
"""Those that need a RabbitMQ."""
TASKS: dict[str, Case] = {**{case.name: case for case in jobs.CASES}, **BROKERED}
CASES: dict[str, Case] = {**STREAMS, **TASKS}
