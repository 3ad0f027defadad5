"""How large a batch should be, whatever the receivers report."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.link.batching import BODY, CHEAP, GOAL, MOST, SLOW, Pace

reports = st.lists(st.tuples(st.integers(-1, 5000), st.integers(-10, 1 << 62)), max_size=20)


def told(*reported: tuple[int, int]) -> Pace:
    pace = Pace()
    for items, busy in reported:
        pace.report(items, busy)
    return pace


def test_before_anything_is_known_items_travel_one_by_one() -> None:
    assert Pace().target() == 1
    assert Pace().depth() == 2


@given(reports)
def test_a_batch_has_at_least_one_item_and_a_bound(reported: list[tuple[int, int]]) -> None:
    assert 1 <= told(*reported).target() <= MOST


@given(cost=st.integers(1, 10 * SLOW))
def test_a_batch_costs_its_receiver_about_the_goal(cost: int) -> None:
    target = told((10, 10 * cost)).target()
    assert target * cost <= GOAL or target == 1
    assert (target + 1) * cost > GOAL or target == MOST


@given(reports, st.integers(1, 1000), st.integers(1, 1 << 40))
def test_the_pace_follows_a_link_that_has_changed(
    before: list[tuple[int, int]], items: int, busy: int
) -> None:
    pace = told(*before, *[(items, busy)] * 200)
    fresh = told((items, busy))
    assert abs(pace.cost - fresh.cost) <= fresh.cost * 0.01


def test_one_item_that_waited_for_a_core_makes_no_small_batches() -> None:
    before, after = told(*[(100, 1_000_000)] * 20), told(*[(100, 1_000_000)] * 20, (1, 4_000_000))
    assert before.target() == 500
    assert after.target() > 10
    assert told(*[(1, 4_000_000)] * 20, *[(1, 10_000)] * 10).target() > 300, "and is soon forgotten"


def test_a_report_of_no_items_says_nothing() -> None:
    assert told((0, 1000)).cost == 0


def test_items_that_cost_nothing_measurable_still_count_as_known() -> None:
    assert told((100, 0)).target() == MOST


def test_a_slow_item_is_not_put_behind_another() -> None:
    assert told((1, SLOW + 1)).depth() == 1
    assert told((1, SLOW)).depth() == 2


def test_cheap_items_may_be_sent_ahead_so_that_their_sender_need_not_look_every_time() -> None:
    assert told((1, CHEAP)).depth() == 4
    assert told((1, CHEAP + 1)).depth() == 2


@given(size=st.integers(1, 4 * BODY), cost=st.integers(1, 1000))
def test_a_batch_has_about_the_bytes_that_a_cache_holds(size: int, cost: int) -> None:
    pace = told((10, 10 * cost))
    free = pace.target()
    for _ in range(100):
        pace.weigh(10, 10 * size)
    assert pace.target() <= free
    assert pace.target() == 1 or pace.target() * size <= BODY * 1.01
    assert pace.target() in {free, MOST} or (pace.target() + 1) * size > BODY * 0.99
