"""A set of ids that costs little where they are neighbours, and forgets only what is long ago."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime.worker.sink.done import Done

ids = st.tuples(st.integers(0, 3), st.integers(0, 30))


@given(st.lists(st.tuples(ids, st.integers(1, 5))), st.lists(ids))
def test_it_holds_what_was_added_and_nothing_else(
    added: list[tuple[tuple[int, int], int]], asked: list[tuple[int, int]]
) -> None:
    done, known = Done(1000), set[tuple[int, int]]()
    for (origin, first), count in added:
        done.add(origin, first, count)
        known |= {(origin, number) for number in range(first, first + count)}
    for origin, number in [*asked, *known]:
        assert done.has(origin, number) == ((origin, number) in known)


@given(st.integers(1, 5), st.lists(ids, max_size=200))
def test_however_little_it_remembers_it_knows_the_last_ones_and_invents_none(
    limit: int, added: list[tuple[int, int]]
) -> None:
    done = Done(limit)
    for place, (origin, number) in enumerate(added):
        done.add(origin, number)
        assert all(done.has(*each) for each in added[max(0, place + 1 - limit) : place + 1])
        assert not done.has(origin, 31)
        assert all((one, other) in added for one in range(4) for other in range(31) if done.has(one, other))


@given(st.integers(1, 5), st.lists(ids, max_size=200))
def test_it_never_keeps_more_than_two_generations(limit: int, added: list[tuple[int, int]]) -> None:
    done = Done(limit)
    for origin, number in added:
        done.add(origin, number)
        for generation in (done._young, done._old):
            assert sum(len(each) for each in generation.values()) <= 2 * (limit + 1)
            for each in generation.values():
                assert each == sorted(set(each)), "neighbours are one"


def test_a_million_in_order_are_two_numbers() -> None:
    done = Done(1)
    for number in range(1_000_000):
        done.add(7, number)
    assert done._young == {7: [0, 1_000_000]}
