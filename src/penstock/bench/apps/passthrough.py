"""Float32 arrays from a source through a stage that passes them on to a sink."""

from __future__ import annotations

from collections.abc import Iterator

from penstock import Pipeline, sink, source, stage
from penstock.bench.batch import Batch, prepared, read
from penstock.bench.gauge import RateGauge
from penstock.bench.trial import Trial

trial = Trial.here()


@source
def batches() -> Iterator[Batch]:
    """Ordinary arrays in turn."""
    made = prepared(trial)
    while not trial.over():
        yield from made * 16


@stage
def forward(batch: Batch) -> Batch:
    """What a router, a filter or a look at the shape does to an array."""
    return batch


@sink
class Train:
    """Reads all of what comes."""

    def setup(self) -> None:
        """Nothing yet."""
        self.count = 0
        self.gauge = RateGauge(trial)

    def __call__(self, batch: Batch) -> None:
        """Take one."""
        read(batch)
        self.count += 1
        self.gauge.look(self.count)


pipeline = Pipeline("bench-passthrough", batches >> forward >> Train)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
