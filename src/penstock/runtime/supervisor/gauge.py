"""How fast a run goes: differences between two looks at its counts. A decision module."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from penstock.observe.durations import quantile
from penstock.runtime.supervisor.account import LinkCount, Totals

SPAN, APART = 1.0, 0.2
"""Seconds that a difference spans at least, where there is a look so old, and between two that are kept."""


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


class Work(NamedTuple):
    """What a worker's page said of its time, at one look."""

    busy: int = 0
    """ns in user code, the call that goes on included."""
    waited: int = 0
    """ns for room in a link, likewise."""
    items: int = 0
    durations: Sequence[int] = ()
    """Items by what they took (see ``observe.durations``)."""


class WorkerPace(NamedTuple):
    """How a worker has spent its time lately. The three parts are 1 together."""

    busy: float = 0.0
    waiting: float = 0.0
    """For room in a link."""
    idle: float = 0.0
    rate: float = 0.0
    """Items a second."""
    p50: float | None = None
    """Seconds that half of its items took at most, in user code; None: it did none."""
    p99: float | None = None


class LinkPace(NamedTuple):
    """How a link has flowed lately."""

    rate: float = 0.0
    """Items a second."""
    bytes: float = 0.0
    """Bytes a second."""
    shared: float = 0.0
    """Which part of them lay in shared memory, from 0 to 1."""


class Look(NamedTuple):
    """All numbers of a run at one time."""

    at: float
    workers: Mapping[int, Work]
    """By number."""
    links: Mapping[int, LinkCount]
    """By id."""


class Meter:
    """Earlier looks. What goes on now is the difference to one of a second ago, or the next older."""

    def __init__(self, now: float) -> None:
        """The first reading is the mean since ``now``."""
        self._looks: deque[Look] = deque([Look(now, {}, {})])

    def look(self, look: Look) -> None:
        """Another look was taken."""
        if look.at - self._looks[-1].at < APART:
            return
        self._looks.append(look)
        while len(self._looks) > 1 and self._looks[1].at <= look.at - SPAN:
            self._looks.popleft()

    def since(self, now: float) -> Look:
        """What ``now`` is to be compared with."""
        old = [look for look in self._looks if look.at <= now - SPAN]
        return old[-1] if old else self._looks[0]


def worker_pace(before: Work | None, after: Work, span: float) -> WorkerPace:
    """How a worker spent ``span`` seconds; ``before`` is None for one that began with them."""
    first = before or Work()
    if span <= 0:
        return WorkerPace()
    busy = _part(after.busy - first.busy, span)
    waiting = min(1.0 - busy, _part(after.waited - first.waited, span))
    was = first.durations or [0] * len(after.durations)
    took = [now - then for now, then in zip(after.durations, was, strict=True)]
    return WorkerPace(
        busy=busy,
        waiting=waiting,
        idle=1.0 - busy - waiting,
        rate=max(0, after.items - first.items) / span,
        p50=quantile(took, 0.5),
        p99=quantile(took, 0.99),
    )


def link_pace(before: LinkCount | None, after: LinkCount, span: float) -> LinkPace:
    """How a link flowed in ``span`` seconds. Where nothing did, ``shared`` is that of its whole life."""
    first = before or LinkCount()
    moved = after.bytes - first.bytes
    new, of = (after.shared - first.shared, moved) if moved > 0 else (after.shared, after.bytes)
    shared = min(1.0, max(0.0, new / of)) if of > 0 else 0.0
    if span <= 0:
        return LinkPace(shared=shared)
    # A count can fall back: what a dead source had sent and was given back no longer counts.
    return LinkPace(max(0, after.sent - first.sent) / span, max(0, moved) / span, shared)


def _part(ns: int, span: float) -> float:
    return min(1.0, max(0.0, ns / 1e9 / span))
