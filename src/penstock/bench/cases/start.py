"""From Enter to the first item in the sink."""

from __future__ import annotations

import time

from penstock.bench.case import Case, Measure
from penstock.bench.stand import APPS, Reading, Stand


def ours(stand: Stand) -> Reading:
    """The clock starts before ``python start.py`` is executed and is read by the sink."""
    with stand.run() as run:
        entered = time.monotonic()
        run.start(str(APPS / "start.py"))
        reading = run.reading()
        run.finish()
        return {"seconds": reading["arrived"] - entered}


CASES = (
    Case(
        name="start",
        about="first item of a 4-worker pipeline after Enter",
        ours=ours,
        measures=(Measure(unit="s", reading="seconds", better="less", target=1.0),),
    ),
)
