from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.observe.durations import BUCKETS, bucket
from penstock.runtime.supervisor.account import LinkCount, Totals
from penstock.runtime.supervisor.gauge import (
    APART,
    LinkPace,
    Look,
    Meter,
    Speedometer,
    Work,
    WorkerPace,
    link_pace,
    worker_pace,
)


def test_the_pace_is_what_came_since_the_last_look() -> None:
    speed = Speedometer(10.0)
    speed.read(Totals(through=100), {0: LinkCount(bytes=5)}, 11.0)
    pace = speed.read(Totals(through=300), {0: LinkCount(bytes=45), 1: LinkCount(bytes=10)}, 13.0)
    assert (pace.items, pace.bytes) == (100.0, 25.0)


def test_a_count_that_falls_back_is_no_negative_pace() -> None:
    speed = Speedometer(0.0)
    speed.read(Totals(through=100), {}, 1.0)
    assert speed.read(Totals(through=90), {}, 2.0).items == 0.0


def work(busy: float = 0.0, waited: float = 0.0, items: int = 0, took: dict[int, int] | None = None) -> Work:
    """Seconds in; ``took``: items by the nanoseconds each took."""
    counts = [0] * BUCKETS
    for ns, count in (took or {}).items():
        counts[bucket(ns)] += count
    return Work(int(busy * 1e9), int(waited * 1e9), items, counts)


def test_a_workers_time_is_busy_waiting_and_idle_since_the_last_look() -> None:
    pace = worker_pace(work(1.0, 0.5, 10), work(1.5, 0.75, 30), 1.0)
    assert (pace.busy, pace.waiting, pace.idle, pace.rate) == (0.5, 0.25, 0.25, 20.0)
    assert (pace.p50, pace.p99) == (None, None)


def test_whoever_was_never_seen_is_measured_since_it_began() -> None:
    assert worker_pace(None, work(1.0), 4.0).busy == 0.25


def test_a_look_at_the_very_beginning_divides_by_nothing() -> None:
    assert worker_pace(None, work(1.0), 0.0) == WorkerPace()
    assert link_pace(None, LinkCount(sent=3, bytes=8, shared=8), 0.0) == LinkPace(shared=1.0)


def test_what_items_took_is_told_of_those_since_the_last_look() -> None:
    pace = worker_pace(work(took={1000: 500}), work(took={1000: 500, 2_000_000: 98, 50_000_000: 2}), 1.0)
    assert pace.p50 == pytest.approx(0.002, rel=0.13)
    assert pace.p99 == pytest.approx(0.05, rel=0.13)


def test_a_link_flows_in_items_and_bytes_and_mostly_through_shared_memory() -> None:
    before, after = LinkCount(sent=10, bytes=1000, shared=0), LinkCount(sent=30, bytes=5000, shared=3000)
    assert link_pace(before, after, 2.0) == LinkPace(10.0, 2000.0, 0.75)
    assert link_pace(after, after, 2.0) == LinkPace(0.0, 0.0, 0.6)
    assert link_pace(after, before, 2.0).rate == 0.0


words = st.integers(0, 2**40)
pages = st.builds(
    Work, busy=words, waited=words, items=words, durations=st.lists(words, min_size=1, max_size=1)
)


@given(
    pages,
    pages,
    st.floats(1e-3, 1e3),
)
def test_the_parts_are_one_together_whatever_the_page_says(before: Work, after: Work, span: float) -> None:
    pace = worker_pace(before, after, span)
    assert min(pace[:4]) >= 0
    assert pace.busy + pace.waiting + pace.idle == pytest.approx(1.0)


def test_a_meter_compares_with_a_look_of_a_second_ago_or_the_next_older() -> None:
    meter = Meter(100.0)
    assert meter.since(103.0).at == 100.0
    for at in (103.0, 103.05, 103.5, 104.0, 104.5):
        meter.look(Look(at, {}, {}))
    assert meter.since(104.6).at == 103.5  # 103.05 was too close to 103 to be kept
    assert meter.since(104.55).at == 103.5


@given(st.lists(st.floats(0.0, 3.0), max_size=50))
def test_a_meter_forgets_what_it_needs_no_more(pauses: list[float]) -> None:
    meter, now = Meter(0.0), 0.0
    for pause in pauses:
        now += pause
        meter.look(Look(now, {}, {}))
    assert len(meter._looks) <= 2 + 1 / APART
