"""What becomes of a job when an attempt has come to an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.tasks.job import Rules
from penstock.tasks.settle import (
    Again,
    Done,
    Ended,
    Failed,
    Finish,
    Outcome,
    Returned,
    Standing,
    pause,
    verdict,
)

CAUSES = st.sampled_from(["error", "crash", "oom", "timeout"])
RULES = st.builds(
    Rules,
    max_failures=st.integers(0, 5),
    backoff=st.floats(0, 10),
    longest=st.floats(0, 100),
    retry_on=st.sampled_from([[], ["ValueError"], ["crash", "oom"]]),
)
FAILED = st.builds(
    Failed,
    cause=CAUSES,
    error=st.just("boom"),
    kinds=st.sampled_from([(), ("ValueError", "Exception"), ("KeyError",)]),
    after=st.none() | st.floats(0, 1000),
)


def _standing(failures: int = 0, *, cancel: bool = False, rules: Rules | None = None) -> Standing:
    return Standing(failures=failures, preemptions=0, cancel=cancel, rules=rules or Rules())


@given(RULES, st.lists(FAILED, min_size=1, max_size=10), st.floats(0, 1))
def test_it_is_begun_once_more_than_it_may_fail_and_never_again(
    rules: Rules, failures: list[Failed], jitter: float
) -> None:
    standing, starts = Standing(0, 0, cancel=False, rules=rules), 0
    for failed in failures:
        starts += 1
        decided = verdict(standing, failed, jitter)
        if isinstance(decided, Finish):
            assert decided.state == "dead"
            break
        standing = Standing(decided.failures, decided.preemptions, cancel=False, rules=rules)
    assert starts <= rules.max_failures + 1


@given(RULES, st.lists(FAILED | st.just(Returned()), max_size=20), st.floats(0, 1))
def test_crashes_errors_and_timeouts_count_together_and_what_is_given_back_counts_for_nothing(
    rules: Rules, outcomes: list[Outcome], jitter: float
) -> None:
    standing = Standing(0, 0, cancel=False, rules=rules)
    failures = returns = 0
    for outcome in outcomes:
        failures += isinstance(outcome, Failed)
        returns += isinstance(outcome, Returned)
        decided = verdict(standing, outcome, jitter)
        assert decided.failures == failures
        if isinstance(decided, Finish):
            return
        assert decided.preemptions == returns
        standing = Standing(decided.failures, decided.preemptions, cancel=False, rules=rules)


@given(FAILED | st.just(Returned()) | st.just(Ended()), RULES)
def test_what_was_cancelled_never_begins_again(outcome: Outcome, rules: Rules) -> None:
    assert verdict(_standing(cancel=True, rules=rules), outcome, 0.0) == Finish(
        "cancelled", int(isinstance(outcome, Failed))
    )


def test_what_was_done_before_it_could_be_cancelled_is_done() -> None:
    assert verdict(_standing(cancel=True), Done(b"1"), 0.0) == Finish("done", 0)


@pytest.mark.parametrize("cause", ["rejected", "unusable"])
def test_what_no_other_attempt_would_cure_is_dead_at_once(cause: str) -> None:
    assert verdict(_standing(), Failed(cause, "no"), 0.0) == Finish("dead", 1)  # type: ignore[arg-type]


def test_only_what_it_is_to_be_tried_again_for_is_tried_again() -> None:
    rules = Rules(retry_on=["oom", "ConnectionError"])
    assert isinstance(verdict(_standing(rules=rules), Failed("oom", "x"), 0.0), Again)
    assert isinstance(
        verdict(_standing(rules=rules), Failed("error", "x", ("ConnectionError", "OSError")), 0.0), Again
    )
    assert verdict(_standing(rules=rules), Failed("error", "x", ("KeyError",)), 0.0) == Finish("dead", 1)


def test_what_was_never_begun_goes_back_as_if_nothing_had_been() -> None:
    assert verdict(_standing(2), Returned(begun=False), 0.0) == Again(0.0, 2, 0)


def test_it_comes_again_when_it_asked_to() -> None:
    assert verdict(_standing(), Failed("error", "x", after=30.0), 1.0) == Again(30.0, 1, 0)


@given(RULES, st.integers(1, 5000), st.floats(0, 1))
def test_pauses_grow_and_are_bounded(rules: Rules, failures: int, jitter: float) -> None:
    now, later = (pause(rules, count, None, jitter) for count in (failures, failures + 1))
    assert 0 <= now <= later <= rules.longest * 1.25
