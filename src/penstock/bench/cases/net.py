"""Plain sockets between two hosts: with CURVE, as ours does not leave a host without; compressed or not."""

from __future__ import annotations

from functools import partial

from penstock.bench.case import Case, Measure
from penstock.bench.cases.patterns import LEAST, WORDS, knee, sizes
from penstock.bench.ends import OURS, SIDES, make_keys
from penstock.bench.ramp import NAME as RAMP
from penstock.bench.squeeze import MODULES
from penstock.bench.stand import Reading, Stand

CLOSED, OPEN = "pyzmq with CURVE", "pyzmq in the clear"
CLEAR = 0.05
"""The least share of what is possible in the clear: what a processor without a word for the cipher leaves."""
PATTERNS = ("reqrep", "pushpull")


def measured(stand: Stand, contender: str, pattern: str, squeeze: str, *, curve: bool = True) -> Reading:
    """One run of both ends, each on its host."""
    road = stand.road
    with stand.run(curve=curve, host=road.host, rate=road.rate, squeeze=squeeze) as run:
        if curve:
            make_keys(run.trial)
        for side, through in zip(SIDES, (road.near, road.far), strict=True):
            run.start("-m", "penstock.bench.pair", contender, pattern, "tcp", side, through=through)
        return run.reading()


def case(pattern: str, squeeze: str = "") -> Case:
    """A pattern between two hosts."""
    compressed = f", compressed by {squeeze}" if squeeze else ""
    words = (
        "values of 64 B pushed, more and more of them, until they are late"
        if pattern == RAMP
        else WORDS[pattern]
    )
    told = partial(partial, measured, pattern=pattern, squeeze=squeeze)
    return Case(
        name=f"net-{pattern}{'-' if squeeze else ''}{squeeze}",
        about=f"{words}, between two hosts{compressed}",
        ours=told(contender=OURS),
        peers={CLOSED: told(contender=CLOSED), OPEN: told(contender=OPEN, curve=False)},
        measures=measures(pattern),
    )


def measures(pattern: str) -> tuple[Measure, ...]:
    """Beside the same with CURVE, which is what is judged, and beside none."""
    if pattern == RAMP:
        return knee((CLOSED,), LEAST), knee((OPEN,), CLEAR)
    return *sizes(pattern, (CLOSED,), LEAST), *sizes(pattern, (OPEN,), CLEAR)


NEEDS: dict[str, str] = {f"net-{pattern}-{name}": name for name in MODULES for pattern in PATTERNS}
"""What has to be installed for a case."""
CASES = (
    *(case(pattern) for pattern in (*PATTERNS, RAMP)),
    *(case(pattern, name) for name in MODULES for pattern in PATTERNS),
)
