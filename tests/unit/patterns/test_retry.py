"""How long each attempt of a request is waited for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.patterns.retry import LONGEST, in_all, waits

timeouts = st.floats(0, 1e6)


@given(timeouts, st.integers(0, 200))
def test_each_attempt_has_its_time_and_never_less_than_the_one_before(timeout: float, retries: int) -> None:
    found = [wait for wait in waits(timeout, retries) if wait is not None]
    assert len(found) == retries + 1
    assert found[0] == timeout
    assert all(before <= after <= max(timeout, LONGEST) for before, after in pairwise(found))
    assert in_all(timeout, retries) == pytest.approx(sum(found))


def test_the_time_doubles_up_to_a_bound() -> None:
    assert list(waits(1.0, 7)) == [1, 2, 4, 8, 16, 32, 32, 32]


def test_without_an_end_there_is_one_attempt() -> None:
    assert list(waits(None, 3)) == [None]
    assert in_all(None, 3) is None
