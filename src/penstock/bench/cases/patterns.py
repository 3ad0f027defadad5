"""Plain sockets beside pyzmq itself: every pattern, transport and size; and how much of a load they take."""

from __future__ import annotations

from functools import partial

from penstock.bench.case import Case, Measure
from penstock.bench.ends import BIND, OURS, SIDES, make_keys
from penstock.bench.histogram import PERCENTILES
from penstock.bench.meter import CPU, MEMORY
from penstock.bench.pair import SIZES
from penstock.bench.ramp import NAME as RAMP
from penstock.bench.stand import Reading, Stand

RAW = "pyzmq"
LEAST = 0.8
TRANSPORTS = ("inproc", "ipc", "tcp", "curve")
"""The last is tcp as well, with CURVE at both ends of both contenders."""
RAMPS = ("ipc", "tcp", "curve")
WORDS = {
    "reqrep": "requests and replies",
    "pushpull": "values pushed and pulled",
    "pubsub": "values published to one subscriber",
    "dealerrouter": "values from a dealer to a router",
    "pair": "values in a pair",
}
BESIDE = (CPU, MEMORY, *PERCENTILES)
"""What is told beside each rate."""


def measured(stand: Stand, contender: str, pattern: str, transport: str) -> Reading:
    """One run of both ends."""
    curve = transport == "curve"
    with stand.run(curve=curve) as run:
        if curve:
            make_keys(run.trial)
        for side in SIDES if transport != "inproc" else SIDES[:1]:
            run.start("-m", "penstock.bench.pair", contender, pattern, "tcp" if curve else transport, side)
        return run.reading()


def sizes(pattern: str, peers: tuple[str, ...], target: float) -> tuple[Measure, ...]:
    """How many in a second, of each size."""
    what = "round trips" if pattern == "reqrep" else "messages"
    return tuple(
        Measure(unit=f"{what}/s of {size}", reading=size, peers=peers, target=target, beside=BESIDE)
        for size in SIZES
    )


def measures(pattern: str) -> tuple[Measure, ...]:
    """Those; and how long the median small round trip takes."""
    rates = sizes(pattern, (RAW,), LEAST)
    if pattern != "reqrep":
        return rates
    return (
        *rates,
        Measure(unit="us p50 of 8 B", reading="8 B us p50", better="less", peers=(RAW,), target=LEAST),
    )


def case(pattern: str, transport: str) -> Case:
    """A pattern over a transport."""
    return Case(
        name=f"patterns-{pattern}-{transport}",
        about=f"{WORDS[pattern]} over {said(transport)}, of {', '.join(SIZES)}",
        ours=partial(measured, contender=OURS, pattern=pattern, transport=transport),
        peers={RAW: partial(measured, contender=RAW, pattern=pattern, transport=transport)},
        measures=measures(pattern),
    )


def said(transport: str) -> str:
    """For people."""
    return "tcp with CURVE" if transport == "curve" else transport


def knee(peers: tuple[str, ...], target: float) -> Measure:
    """The load that is just not too much."""
    beside = tuple(name for name in BESIDE if name != MEMORY)
    return Measure(
        unit="messages/s at the knee",
        reading="knee",
        peers=peers,
        target=target,
        beside=beside,
        steps="steps",
    )


def ramp(transport: str) -> Case:
    """A load that is raised until it is too much."""
    return Case(
        name=f"patterns-ramp-{transport}",
        about=f"values of 64 B pushed over {said(transport)}, more and more of them, until they are late",
        ours=partial(measured, contender=OURS, pattern=RAMP, transport=transport),
        peers={RAW: partial(measured, contender=RAW, pattern=RAMP, transport=transport)},
        measures=(knee((RAW,), LEAST),),
    )


CASES = (
    *(case(pattern, transport) for pattern in BIND for transport in TRANSPORTS),
    *(ramp(transport) for transport in RAMPS),
)
