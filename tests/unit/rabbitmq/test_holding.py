"""A broker that takes a job back before it is done is found before the job begins."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from penstock.rabbitmq.holding import MARGIN, USUAL, cure, granted, judge, needed
from penstock.rabbitmq.policies import LONGEST
from penstock.tasks.job import Rules

VERSIONS = st.sampled_from([(3, 10), (3, 11), (3, 12), (4, 0), (4, 3)])
HOLDS = st.integers(0, 10**11)


def test_a_group_needs_what_the_longest_of_its_tasks_needs() -> None:
    rules = [
        ("a", Rules(timeout=60, grace=10)),
        ("a", Rules(timeout=5)),
        ("b", Rules(timeout=5)),
        ("b", Rules()),
    ]
    assert needed(rules) == {"a": 70_000, "b": math.inf}


def test_where_no_policy_can_say_it_the_usual_half_hour_counts_until_somebody_says_more() -> None:
    assert granted((3, 11)) == USUAL
    assert granted((3, 11), 5000) == 5000
    assert granted((3, 12)) == granted((4, 3), 5000) == LONGEST


@given(HOLDS, HOLDS, VERSIONS)
def test_a_job_that_would_be_taken_back_is_never_called_good(
    held: int, limit: int, version: tuple[int, int]
) -> None:
    found = judge("gpu", held, limit, version)
    assert (found.verdict == "good") is (held + MARGIN <= limit)
    assert bool(found.cure) is (found.verdict != "good")


@given(HOLDS, VERSIONS)
def test_the_cure_of_old_versions_is_one(held: int, version: tuple[int, int]) -> None:
    if version < (3, 12):
        said = judge("gpu", held, USUAL, version).cure
        assert not said or f"consumer_timeout = {held + MARGIN} in rabbitmq.conf" in said
        assert judge("gpu", held, held + MARGIN, version).verdict == "good"
    assert str(held) in cure(version, held)


@given(HOLDS, VERSIONS)
def test_a_job_without_a_time_out_is_a_warning_where_the_limit_is_less_than_a_day(
    limit: int, version: tuple[int, int]
) -> None:
    found = judge("gpu", math.inf, limit, version)
    assert found.verdict == ("good" if limit >= 86_400_000 else "doubtful")
