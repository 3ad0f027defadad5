"""Four workers whose source has nothing to give: it waits in ``next()`` until the stand lets it go."""

from __future__ import annotations

import time
from collections.abc import Iterator

from penstock import Pipeline, sink, source, stage
from penstock.bench.trial import Trial

trial = Trial.here()


@source
def silence() -> Iterator[int]:
    """One item to show that all is up; then block in a read, as a source on a quiet socket would."""
    yield 1
    with open(trial.path("gate"), "rb") as gate:
        gate.read()


@stage(replicas=2)
def through(item: int) -> int:
    """Hand it on."""
    return item


@sink
def first(item: int) -> None:
    """Tell that all four are at work."""
    trial.report(arrived=time.monotonic())


pipeline = Pipeline("bench-idle", silence >> through >> first)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
