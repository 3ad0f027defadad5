"""Small dicts from a source through two replicas of a stage to a sink that takes them in order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from penstock import Pipeline, Reject, sink, source, stage
from penstock.bench.gauge import EVERY, RateGauge
from penstock.bench.item import CELSIUS, SENSOR, Reading
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


@stage(replicas=2)
def correct(reading: Reading) -> Reading:
    """One small change, so that there is something to send on."""
    reading["celsius"] += 0.25
    return reading


@sink(ordered=True)
class Count:
    """Counts. A dead letter, if ever an item is not where it belongs: such a run has no reading."""

    def setup(self) -> None:
        """Nothing yet."""
        self.count = 0
        self.gauge = RateGauge(trial)

    def __call__(self, reading: Reading) -> None:
        """Take one."""
        self.count += 1
        if not self.count & EVERY:
            if reading["number"] != self.count - 1:
                raise Reject(f"{reading['number']} came as number {self.count - 1}")
            self.gauge.look(self.count)


pipeline = Pipeline("bench-ordered", readings >> correct >> Count)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
