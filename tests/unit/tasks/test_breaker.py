"""A group pauses when different jobs in a row kill their workers, and never for one alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.tasks.breaker import LIMIT, Breaker

EVENTS = st.lists(st.one_of(st.none(), st.sampled_from("abcdefgh")), max_size=60)
"""The job that killed its worker; None: one was run to an end."""


def _after(happened: list[str | None]) -> Breaker:
    breaker = Breaker()
    for job in happened:
        breaker = breaker.survived() if job is None else breaker.killed(job)
    return breaker


@given(EVENTS)
def test_it_opens_for_so_many_different_ones_since_the_last_that_lived(happened: list[str | None]) -> None:
    last = max((place for place, job in enumerate(happened) if job is None), default=-1)
    assert _after(happened).is_open == (len(set(happened[last + 1 :])) >= LIMIT)


@given(st.integers(0, 1000))
def test_one_job_alone_is_its_own_affair(times: int) -> None:
    assert not _after(["a"] * times).is_open


def test_it_says_why() -> None:
    assert _after(list("abcde")).why == "5 different jobs in a row have killed their workers"
