"""Values on a topic, as fast as they go: to one subscriber, or (style ``alone``) to nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count

from penstock import Context, Pipeline, sink, source, subscriber
from penstock.bench.gauge import EVERY, RateGauge
from penstock.bench.item import CELSIUS, SENSOR, Reading
from penstock.bench.trial import Trial

trial = Trial.here()
LOT = 10_000
"""Values between two looks."""


@source
def speak(ctx: Context) -> Iterator[int]:
    """Publish until it was measured for long enough."""
    end, spent, said = time.monotonic() + trial.seconds, 0, 0
    for block in count(step=LOT):
        began = time.monotonic_ns()
        for number in range(block, block + LOT):
            ctx.publish("sensor.celsius", {"number": number, "sensor": SENSOR, "celsius": CELSIUS})
        spent, said = spent + time.monotonic_ns() - began, said + LOT
        if trial.style == "alone" and time.monotonic() > end:
            trial.report(us=spent / said / 1000)
            return
        if trial.over():
            return
        yield block


@sink
def blocks(block: int) -> None:
    """A pipeline has a sink."""


@subscriber("sensor.*")
class Listen:
    """Counts."""

    def setup(self) -> None:
        """Nothing yet."""
        self.count, self.gauge = 0, RateGauge(trial)

    def __call__(self, value: Reading) -> None:
        """Take one."""
        self.count += 1
        if not self.count & EVERY:
            self.gauge.look(self.count)


beside = () if trial.style == "alone" else (Listen,)
pipeline = Pipeline("bench-publish", speak >> blocks, *beside)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
