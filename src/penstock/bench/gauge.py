"""The gauges a sink reads: a rate over a sustained interval, and the spread of single delays.

Ours and the peer's sink use the same ones, in the same rhythm, so that measuring costs both alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from penstock.bench.trial import Trial
from penstock.lifecycle import Clock, monotonic

EVERY = 255
"""A mask: ask the clock at every 256th small item only, it costs as much as the item."""


class RateGauge:
    """Items a second between ``warm`` after the first look and ``seconds`` later."""

    def __init__(self, trial: Trial, *, clock: Clock = monotonic) -> None:
        """Nothing is counted before the first ``look``."""
        self._trial = trial
        self._clock = clock
        self._first: float | None = None
        self._begun: tuple[float, int] | None = None
        self._finished = False

    def look(self, count: int) -> bool:
        """Tell that ``count`` items have arrived by now; true once the reading has been reported."""
        if not self._finished:
            self._at(self._clock(), count)
        return self._finished

    def _at(self, now: float, count: int) -> None:
        if self._first is None:
            self._first = now
        if self._begun is None:
            if now - self._first >= self._trial.warm:
                self._begun = (now, count)
            return
        began, counted = self._begun
        if now - began >= self._trial.seconds:
            self._finished = True
            self._trial.report(rate=(count - counted) / (now - began))
            self._trial.finish()


class DelayGauge:
    """Percentiles of one-way delays, in microseconds, from ``samples`` items after a warm-up."""

    WARM = 200
    """The first items pay for page faults and cold caches; a quiet pipeline has paid long ago."""

    def __init__(self, trial: Trial, *, clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Nothing is known before the first ``add``."""
        self._trial = trial
        self._clock = clock
        self._delays: list[int] = []

    def add(self, sent: int) -> bool:
        """Take in one item sent at ``sent`` (CLOCK_MONOTONIC, ns); true once the reading is reported."""
        self._delays.append(self._clock() - sent)
        wanted = self.WARM + self._trial.samples
        if len(self._delays) == wanted:
            ordered = sorted(self._delays[self.WARM :])
            self._trial.report(p50=percentile(ordered, 0.50) / 1e3, p99=percentile(ordered, 0.99) / 1e3)
        return len(self._delays) >= wanted


def percentile(ordered: list[int], share: float) -> int:
    """The value that ``share`` of the sorted values do not exceed (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
