"""Whatever comes in whatever order: what is new is what was not there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.message.known import Known

RUNS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(1, 12)), max_size=40)


@given(RUNS)
def test_each_id_is_new_once(runs: list[tuple[str, int, int]]) -> None:
    known = Known()
    seen: set[tuple[str, int]] = set()
    for origin, first, count in runs:
        new = [(origin, number) for part in known.add(origin, first, count) for number in part]
        wanted = {(origin, number) for number in range(first, first + count)} - seen
        assert len(new) == len(wanted) and set(new) == wanted
        assert new == sorted(new)
        seen |= wanted


@given(RUNS)
def test_neighbours_are_one_run(runs: list[tuple[str, int, int]]) -> None:
    known = Known()
    for run in runs:
        known.add(*run)
    for begins, ends in known._runs.values():
        assert all(end < begin for end, begin in zip(ends, begins[1:], strict=False))
