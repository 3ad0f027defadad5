"""How long one small item is under way, one way, on a link that is otherwise idle."""

from __future__ import annotations

from penstock.bench.case import Case, Measure
from penstock.bench.stand import Reading, Stand

RAW = "pyzmq PUSH/PULL, 64 bytes"


def ours(stand: Stand) -> Reading:
    """From ``yield`` to the sink's call."""
    return stand.pipeline("latency.py")


def raw(stand: Stand) -> Reading:
    """From ``send`` to the return of ``recv``."""
    return stand.peer("pull_pulses", "push_pulses")


CASES = (
    Case(
        name="latency-small",
        about="one small item on an idle link, one way",
        ours=ours,
        peers={RAW: raw},
        measures=(
            Measure(unit="us p50", reading="p50", better="less", peers=(RAW,), target=1 / 1.3),
            Measure(unit="us p99", reading="p99", better="less", peers=(RAW,), target=1 / 2.5),
        ),
    ),
)
