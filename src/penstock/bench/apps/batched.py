"""Small float32 arrays from a source to a sink that takes them in stacks."""

from __future__ import annotations

from collections.abc import Iterator

from penstock import Pipeline, sink, source
from penstock.bench.batch import STACK, Batch, prepared, read
from penstock.bench.gauge import RateGauge
from penstock.bench.trial import Trial

trial = Trial.here()


@source
def thumbnails() -> Iterator[Batch]:
    """Ordinary arrays in turn."""
    made = prepared(trial)
    while not trial.over():
        yield from made * 256


@sink(batch=STACK, batch_wait="20ms")
class Train:
    """Reads all of what comes."""

    def setup(self) -> None:
        """Nothing yet."""
        self.count = 0
        self.gauge = RateGauge(trial)

    def __call__(self, stack: Batch) -> None:
        """Take as many as there are, up to a stack."""
        read(stack)
        self.count += len(stack)
        self.gauge.look(self.count)


pipeline = Pipeline("bench-batched", thumbnails >> Train)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
