"""Calls one after the other, as one caller makes them; ours and the peers' are clocked by the same loop."""

from __future__ import annotations

import time
from collections.abc import Callable

from penstock.bench.gauge import percentile
from penstock.bench.trial import Trial

MESSAGE = bytes(64)
"""What is asked, and answered."""
WARM = 500
"""Calls before that, in which caches get warm and the clock of the cores comes up."""


def clock(trial: Trial, call: Callable[[bytes], object]) -> None:
    """Call again and again, and report how long it took: percentiles in microseconds, and calls a second."""
    for _ in range(WARM):
        call(MESSAGE)
    delays: list[int] = []
    last = began = time.monotonic_ns()
    for _ in range(trial.samples):
        call(MESSAGE)
        now = time.monotonic_ns()
        delays.append(now - last)
        last = now
    delays.sort()
    trial.report(
        p50=percentile(delays, 0.50) / 1e3,
        p99=percentile(delays, 0.99) / 1e3,
        rate=trial.samples * 1e9 / (last - began),
    )
