from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.observe.durations import BUCKETS, LEAST, bucket, count, middle, quantile

SHORTEST, LONGEST = 2**LEAST, 2**43 - 1
inside = st.integers(SHORTEST, LONGEST)


def counted(durations: Sequence[int]) -> list[int]:
    words = [0] * BUCKETS
    for ns in durations:
        count(words, 0, 1, ns)
    return words


@given(inside)
def test_a_bucket_tells_what_was_counted_in_it_to_an_eighth(ns: int) -> None:
    assert middle(bucket(ns)) == pytest.approx(ns, rel=1 / 8)


@given(inside, inside)
def test_longer_durations_are_never_counted_before_shorter_ones(one: int, other: int) -> None:
    assert (bucket(one) <= bucket(other)) == (one <= other) or bucket(one) == bucket(other)


@pytest.mark.parametrize("ns", [-5, 0, 1, SHORTEST - 1])
def test_what_is_too_short_to_tell_is_in_the_first(ns: int) -> None:
    assert bucket(ns) == 0


def test_what_takes_hours_is_in_the_last() -> None:
    assert bucket(LONGEST) == bucket(2**60) == BUCKETS - 1


@given(st.lists(inside, min_size=1), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_is_that_of_the_durations_to_an_eighth(durations: list[int], part: float) -> None:
    durations.sort()
    place = max(1, -(-len(durations) * round(part * 100) // 100))
    assert quantile(counted(durations), part) == pytest.approx(durations[place - 1] / 1e9, rel=1 / 8)


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile([0] * BUCKETS, 0.5) is None
    assert quantile([], 0.99) is None


def test_items_of_a_batch_are_counted_together_where_the_histogram_begins() -> None:
    words = [0] * (BUCKETS + 8)
    count(words, 8, 40, SHORTEST)
    assert (words[8], sum(words)) == (40, 40)
