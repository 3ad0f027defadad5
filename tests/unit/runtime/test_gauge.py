from __future__ import annotations

import pytest

from penstock.runtime.account import LinkCount, Totals
from penstock.runtime.gauge import BusyGauge, Speedometer


def test_the_pace_is_what_came_since_the_last_look() -> None:
    speed = Speedometer(10.0)
    speed.read(Totals(through=100), {0: LinkCount(bytes=5)}, 11.0)
    pace = speed.read(Totals(through=300), {0: LinkCount(bytes=45), 1: LinkCount(bytes=10)}, 13.0)
    assert (pace.items, pace.bytes) == (100.0, 25.0)


def test_a_count_that_falls_back_is_no_negative_pace() -> None:
    speed = Speedometer(0.0)
    speed.read(Totals(through=100), {}, 1.0)
    assert speed.read(Totals(through=90), {}, 2.0).items == 0.0


def test_busy_is_a_part_of_the_time_since_the_last_look() -> None:
    gauge = BusyGauge()
    assert gauge.read({1: int(1e9)}, {1: 0.0}, 4.0) == {1: 0.25}
    assert gauge.read({1: int(1.5e9)}, {1: 0.0}, 5.0) == {1: pytest.approx(0.5)}


def test_whoever_was_never_seen_is_measured_since_it_began() -> None:
    gauge = BusyGauge()
    gauge.read({1: 0}, {1: 0.0}, 1.0)
    assert gauge.read({2: int(1e9)}, {2: 8.0}, 10.0) == {2: 0.5}


def test_a_look_at_the_very_beginning_divides_by_nothing() -> None:
    assert BusyGauge().read({1: 0}, {1: 5.0}, 5.0) == {1: 0.0}
