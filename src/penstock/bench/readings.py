"""Small dicts: where they come from, what is done to them, and who counts them. The apps wire these."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from penstock import sink, source, stage
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


class Counter:
    """Counts, and does nothing else."""

    def setup(self) -> None:
        """Nothing yet."""
        self.count = 0
        self.gauge = RateGauge(trial)

    def __call__(self, reading: Reading) -> None:
        """Take one."""
        self.count += 1
        if not self.count & EVERY:
            self.look(reading)

    def look(self, reading: Reading) -> None:
        """Now and then."""
        self.gauge.look(self.count)


@sink
class Count(Counter):
    """Takes them as they come."""
