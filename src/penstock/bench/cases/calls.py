"""How long a call takes: there, through the code of a service, and back."""

from __future__ import annotations

from penstock.bench.case import Case, Measure
from penstock.bench.stand import Reading, Stand

RAW = "pyzmq REQ/REP, 64 bytes"
RAY = "a Ray actor, 64 bytes"


def ours(stand: Stand) -> Reading:
    """From ``call`` to what it returns."""
    return stand.pipeline("call.py")


def raw(stand: Stand) -> Reading:
    """From ``send`` to the return of ``recv``."""
    return stand.peer("rep", "req")


def ray(stand: Stand) -> Reading:
    """From ``remote`` to the return of ``get``."""
    with stand.run() as run:
        run.start("-m", "penstock.bench.rivals", "ray", "call")
        return run.reading()


CASES = (
    Case(
        name="call",
        about="a call of a service: one caller, one replica, 64 bytes there and back",
        ours=ours,
        peers={RAW: raw},
        measures=(
            Measure(unit="us p50", reading="p50", better="less", peers=(RAW,), target=1 / 1.4),
            Measure(unit="us p99", reading="p99", better="less", peers=(RAW,), target=1 / 2.5),
            Measure(unit="calls/s", peers=(RAW,), target=1 / 1.4),
        ),
    ),
)
BESIDE_RAY = (
    Case(
        name="call-ray",
        about="the same call; needs Ray",
        ours=ours,
        peers={RAY: ray},
        measures=(
            Measure(unit="us p50", reading="p50", better="less", peers=(RAY,), target=5.0),
            Measure(unit="calls/s", peers=(RAY,), target=5.0),
        ),
    ),
)
"""Those that need ``pip install ray``."""
