"""How many jobs a worker has before it: one of a long task, many of a short one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime.jobs import ahead

SPANS = st.floats(0.0, 1e6)


def test_who_knows_nothing_hands_over_one() -> None:
    assert ahead.handed(None) == 1


@given(SPANS)
def test_a_worker_has_one_at_least_and_no_more_than_is_done_in_a_moment(mean: float) -> None:
    count = ahead.handed(mean)
    assert 1 <= count <= ahead.MOST
    assert count == 1 or count * mean <= ahead.SPAN


@given(st.lists(SPANS, max_size=20), st.floats(ahead.SPAN, 1e6))
def test_after_one_long_job_the_next_comes_alone(before: list[float], took: float) -> None:
    mean: float | None = None
    for each in before:
        mean = ahead.mean(mean, each)
    assert ahead.handed(ahead.mean(None, took)) == 1
    if mean is None or took > mean:
        assert ahead.handed(ahead.mean(mean, took)) == 1


@given(st.floats(0.0, 10.0))
def test_a_group_of_short_jobs_is_found_to_be_one_after_all(first: float) -> None:
    mean = ahead.mean(None, first)
    for _ in range(100):
        mean = ahead.mean(mean, 0.0)
    assert ahead.handed(mean) == ahead.MOST
