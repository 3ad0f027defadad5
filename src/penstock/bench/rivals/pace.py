"""How often something can be done, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable

from penstock.bench.trial import Trial


def pace(act: Callable[[], object], trial: Trial) -> float:
    """Calls of ``act`` per second, once the warm-up is over."""
    until = time.monotonic() + trial.warm
    while time.monotonic() < until:
        act()
    began, count = time.monotonic(), 0
    while (now := time.monotonic()) < began + trial.seconds:
        act()
        count += 1
    return count / (now - began)
