"""How fast a run goes: differences between two looks at its counts. A decision module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from penstock.runtime.account import LinkCount, Totals


class Pace(NamedTuple):
    """One look."""

    items: float
    """Items through, per second."""
    bytes: float
    """Bytes that travelled on all links, per second."""
    totals: Totals


class Speedometer:
    """Remembers the last look."""

    def __init__(self, now: float) -> None:
        """The first reading is the mean since ``now``."""
        self._at = now
        self._items = 0
        self._bytes = 0

    def read(self, totals: Totals, counts: Mapping[int, LinkCount], now: float) -> Pace:
        """The pace since the last look."""
        span = max(now - self._at, 1e-3)
        sent = sum(count.bytes for count in counts.values())
        # A count can fall back: what a dead source had sent and was given back no longer counts.
        pace = Pace(max(0, totals.through - self._items) / span, max(0, sent - self._bytes) / span, totals)
        self._at, self._items, self._bytes = now, totals.through, sent
        return pace


class BusyGauge:
    """Which part of its time each worker spends in user code."""

    def __init__(self) -> None:
        """Nobody has been looked at."""
        self._last: dict[int, tuple[float, int]] = {}

    def read(self, busy: Mapping[int, int], since: Mapping[int, float], now: float) -> dict[int, float]:
        """The part since the last look (the first time, since ``since``), from 0 to 1, by worker.

        Args:
            busy: nanoseconds in user code so far, of all living workers.
            since: when each began to work.
            now: the time of ``busy``.
        """
        found = {}
        for number, spent in busy.items():
            at, before = self._last.get(number, (since.get(number, now), 0))
            span = now - at
            found[number] = min(1.0, (spent - before) / 1e9 / span) if span > 0 else 0.0
        self._last = {number: (now, spent) for number, spent in busy.items()}
        return found
