"""How long one small item is under way, one way, on a link that is otherwise idle."""

from __future__ import annotations

from functools import partial

from penstock.bench.case import Case, Measure
from penstock.bench.stand import Reading, Stand
from penstock.bench.turns import ASLEEP

RAW = "pyzmq PUSH/PULL, 64 bytes"


def ours(stand: Stand, style: str) -> Reading:
    """From ``yield`` to the sink's call."""
    return stand.pipeline("latency.py", style=style)


def raw(stand: Stand, style: str) -> Reading:
    """From ``send`` to the return of ``recv``."""
    return stand.peer("pull_pulses", "push_pulses", style=style)


def case(name: str, style: str, about: str, *, p50: float, p99: float) -> Case:
    """One way to send single items; the targets are how many times the peer's delay ours may be."""
    return Case(
        name=name,
        about=about,
        ours=partial(ours, style=style),
        peers={RAW: partial(raw, style=style)},
        measures=(
            Measure(unit="us p50", reading="p50", better="less", peers=(RAW,), target=1 / p50),
            Measure(unit="us p99", reading="p99", better="less", peers=(RAW,), target=1 / p99),
        ),
    )


CASES = (
    case("latency-small", "", "one small item on an idle link, one way", p50=1.3, p99=2.5),
    case("latency-asleep", ASLEEP, "the same after a nap of both ends, with cold caches", p50=4.0, p99=4.0),
)
