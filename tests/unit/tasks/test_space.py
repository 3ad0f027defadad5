"""What is tried: all combinations, or some, and in each process the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import UserError, between
from penstock.tasks.space import Space


def test_all_combinations_come_in_the_order_of_nested_loops() -> None:
    space = Space({"lr": [1, 2], "depth": ["a", "b", "c"], "epochs": 9})
    found = [space.at(number, 6, None) for number in range(6)]
    assert [(each["lr"], each["depth"]) for each in found] == [
        (1, "a"), (1, "b"), (1, "c"), (2, "a"), (2, "b"), (2, "c"),
    ]  # fmt: skip
    assert {each["epochs"] for each in found} == {9}


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3), part=st.floats(0.1, 1), seed=st.integers())
def test_of_fewer_than_all_none_is_tried_twice(sizes: list[int], part: float, seed: int) -> None:
    space = Space({f"x{at}": list(range(size)) for at, size in enumerate(sizes)})
    count = max(1, int((space.size or 0) * part))
    found = [tuple(space.at(number, count, seed).items()) for number in range(count)]
    assert len(set(found)) == count
    assert found == [tuple(space.at(number, count, seed).items()) for number in range(count)]


@given(
    ends=st.tuples(st.integers(1, 1000), st.integers(1, 1000)).filter(lambda ends: ends[0] < ends[1]),
    whole=st.booleans(),
    log=st.booleans(),
    number=st.integers(0, 50),
)
def test_a_range_gives_what_is_in_it(ends: tuple[int, int], whole: bool, log: bool, number: int) -> None:
    low, high = ends if whole else (ends[0] / 7, ends[1] / 7)
    value = Space({"x": between(low, high, log=log), "y": [1]}).at(number, 51, "seed")["x"]
    assert low <= value <= high and isinstance(value, int) is whole


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: Space({"lr": []}), r"lr=\[\]: there is nothing to try"),
        (lambda: Space({"lr": 1}), "give an argument a list of values, or between"),
        (lambda: between(2, 1), r"between\(2, 1\): the first must be less"),
        (lambda: between(0, 1, log=True), "both must be more than 0"),
    ],
)
def test_what_cannot_be_tried_is_refused(wrong: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        wrong()  # type: ignore[operator]
