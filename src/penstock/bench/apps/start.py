"""Four workers, one item: how long until it is there."""

from __future__ import annotations

import time
from collections.abc import Iterator

from penstock import Pipeline, sink, source, stage
from penstock.bench.trial import Trial

trial = Trial.here()


@source
def one() -> Iterator[int]:
    """The first item, and the last."""
    yield 1


@stage(replicas=2)
def through(item: int) -> int:
    """Hand it on."""
    return item


@sink
def first(item: int) -> None:
    """Note when it arrived; the stand knows when it pressed Enter."""
    trial.report(arrived=time.monotonic())


pipeline = Pipeline("bench-start", one >> through >> first)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
