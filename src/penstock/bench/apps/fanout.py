"""Float32 arrays from a source to four sinks, each of which gets every one."""

from __future__ import annotations

from collections.abc import Iterator

from penstock import Pipeline, sink, source
from penstock.bench.batch import Batch, first, prepared
from penstock.bench.gauge import RateGauge
from penstock.bench.trial import Trial

trial = Trial.here()


@source
def batches() -> Iterator[Batch]:
    """Ordinary arrays in turn."""
    made = prepared(trial)
    while not trial.over():
        yield from made * 16


@sink
class Train:
    """Looks at the first element, and counts."""

    def setup(self) -> None:
        """Nothing yet."""
        self.count = 0
        self.gauge = RateGauge(trial)

    def __call__(self, batch: Batch) -> None:
        """Take one."""
        first(batch)
        self.count += 1
        self.gauge.look(self.count)


@sink
def preview(batch: Batch) -> None:
    """Look at the first element."""
    first(batch)


@sink
def archive(batch: Batch) -> None:
    """Look at the first element."""
    first(batch)


@sink
def watch(batch: Batch) -> None:
    """Look at the first element."""
    first(batch)


pipeline = Pipeline("bench-fanout", batches >> (Train, preview, archive, watch))

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
