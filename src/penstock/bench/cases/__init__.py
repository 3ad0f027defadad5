"""The cases, one file per family; ``CASES`` has them all in the order of the report."""

from __future__ import annotations

from penstock.bench.case import Case
from penstock.bench.cases import arrays, idle, items, latency, recovery, start

CASES: dict[str, Case] = {
    case.name: case for family in (items, arrays, latency, start, idle, recovery) for case in family.CASES
}
