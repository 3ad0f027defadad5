"""Float32 arrays: where they come from, and who reads and counts them. The apps wire these."""

from __future__ import annotations

from collections.abc import Iterator

from penstock import source
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


class Trainer:
    """Reads all of what comes, and counts."""

    def setup(self) -> None:
        """Nothing yet."""
        self.count = 0
        self.gauge = RateGauge(trial)

    def __call__(self, batch: Batch) -> None:
        """Take one."""
        self.look(batch)
        self.count += 1
        self.gauge.look(self.count)

    def look(self, batch: Batch) -> None:
        """See that it is there."""
        read(batch)
