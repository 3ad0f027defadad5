"""Small dicts from a source through a small step to a sink; the step in the sink's process or its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import penstock
from penstock import Pipeline, sink, source
from penstock.bench.gauge import EVERY, RateGauge
from penstock.bench.item import CELSIUS, SENSOR, Reading, corrected
from penstock.bench.trial import Trial

trial = Trial.here()


@source
def readings() -> Iterator[Reading]:
    """New dicts, until the sink has counted long enough."""
    for block in count(step=1000):
        if trial.over():
            return
        for number in range(block, block + 1000):
            yield {"number": number, "sensor": SENSOR, "celsius": CELSIUS}


@sink
class Count:
    """Counts, and does nothing else."""

    def setup(self) -> None:
        """Nothing yet."""
        self.count = 0
        self.gauge = RateGauge(trial)

    def __call__(self, reading: Reading) -> None:
        """Take one."""
        self.count += 1
        if not self.count & EVERY:
            self.gauge.look(self.count)


step = penstock.map(corrected, fuse=trial.style != "apart")
pipeline = Pipeline("bench-fused", readings >> step >> Count)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
