"""One small item at a time over a link that is otherwise idle."""

from __future__ import annotations

import time
from collections.abc import Iterator

from penstock import Pipeline, sink, source
from penstock.bench.gauge import DelayGauge
from penstock.bench.trial import Trial
from penstock.bench.turns import Turns

trial = Trial.here()


@source
def pulses() -> Iterator[dict[str, int]]:
    """Each says when it left."""
    turns = Turns(trial)
    for _ in range(DelayGauge.WARM + trial.samples):
        yield {"sent": time.monotonic_ns()}
        turns.wait()


@sink
class Watch:
    """Compares with the clock on its own side: CLOCK_MONOTONIC is one for the whole host."""

    def setup(self) -> None:
        """No delays yet."""
        self.gauge = DelayGauge(trial)
        self.turns = Turns(trial)

    def __call__(self, pulse: dict[str, int]) -> None:
        """Take one."""
        self.gauge.add(pulse["sent"])
        self.turns.arrived()


pipeline = Pipeline("bench-latency", pulses >> Watch)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
