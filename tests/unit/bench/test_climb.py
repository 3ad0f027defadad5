"""The way up to the knee."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.bench.climb import CHANCES, FIRST, GROWTH, HALVINGS, MOST, Climb
from penstock.bench.ramp import bursts


def climbed(capacity: float) -> tuple[Climb, list[float]]:
    climb, loads = Climb(), list[float]()
    while climb.load is not None:
        loads.append(climb.load)
        climb.told(good=climb.load <= capacity)
    return climb, loads


@given(capacity=st.floats(FIRST, MOST / GROWTH))
def test_the_knee_is_below_what_is_too_much_by_an_eighth_at_most(capacity: float) -> None:
    climb, loads = climbed(capacity)
    assert climb.knee <= capacity < climb.knee * GROWTH ** (1 / 2**HALVINGS) * 1.0001
    assert len(loads) < 40


def test_where_everything_is_too_much_there_is_no_knee() -> None:
    climb, loads = climbed(FIRST / 2)
    assert climb.knee == 0
    assert loads == [FIRST] * CHANCES


def test_a_load_that_is_too_much_once_is_offered_again() -> None:
    climb = Climb()
    climb.told(good=True)
    second = climb.load
    climb.told(good=False)
    assert climb.load == second
    climb.told(good=True)
    assert climb.knee == second


def test_nothing_is_too_much() -> None:
    climb, loads = climbed(float("inf"))
    assert climb.knee == loads[-1] <= MOST


@given(load=st.floats(1, 1e7), seconds=st.floats(0.001, 1.0))
def test_bursts_are_as_many_messages_as_the_load_says(load: float, seconds: float) -> None:
    due = list(bursts(0, load, seconds))
    assert [when for when, _ in due] == [number * 1_000_000 for number in range(len(due))]
    assert sum(number for _, number in due) == pytest.approx(load * len(due) / 1000, abs=1)
