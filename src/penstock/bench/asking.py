"""Calls one after the other, as one caller makes them; ours and the peers' are clocked by the same loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from penstock.bench.gauge import percentile
from penstock.bench.trial import Trial

ARRAY = "array"
"""The style of a trial in which float32 of its shape is asked; else as many bytes as that has."""
WARM = 500
"""Calls before that, in which caches get warm and the clock of the cores comes up."""
SLOWER = 20
"""Calls with an array are fewer by this."""


def message(trial: Trial) -> Any:
    """What is asked, and answered."""
    if trial.style != ARRAY:
        return bytes(math.prod(trial.shape))
    import numpy as np

    return np.ones(trial.shape, np.float32)


def clock(trial: Trial, call: Callable[[Any], object]) -> None:
    """Call again and again, and report how long it took: percentiles in microseconds, and calls a second."""
    asked = message(trial)
    fewer = SLOWER if trial.style == ARRAY else 1
    for _ in range(WARM // fewer):
        call(asked)
    delays: list[int] = []
    last = began = time.monotonic_ns()
    for _ in range(trial.samples // fewer):
        call(asked)
        now = time.monotonic_ns()
        delays.append(now - last)
        last = now
    delays.sort()
    trial.report(
        p50=percentile(delays, 0.50) / 1e3,
        p99=percentile(delays, 0.99) / 1e3,
        rate=len(delays) * 1e9 / (last - began),
    )
