"""An item is never called too old before it is, and not much later."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.link.marks import PARTS, Marks

MAX_AGE = 3200


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "put", "look", "take"]),
            st.integers(0, 20),
            st.sampled_from([0, 1, 99, 101]),
        )
    )
)
def test_the_end_of_an_items_life_is_known_to_within_a_part_of_it(moves: list[tuple[str, int, int]]) -> None:
    marks, now = Marks(MAX_AGE), 0
    queue: list[int] = []
    """When the items in it were first seen."""
    unseen = 0
    for move, items, passed in moves:
        now += passed
        if move == "put":
            unseen += items
        elif move == "look":
            marks.note(len(queue) + unseen, now)
            queue += [now] * unseen
            unseen = 0
        elif queue:
            taken = 1 + items % marks.front
            for seen in queue[:taken]:
                assert seen + MAX_AGE <= marks.expires <= seen + MAX_AGE + MAX_AGE // PARTS
            marks.take(taken)
            del queue[:taken]
        assert bool(marks.front) == bool(queue)
        assert marks.front <= len(queue)


def test_what_is_made_at_nearly_the_same_time_is_one_mark() -> None:
    marks = Marks(MAX_AGE)
    for now in range(0, 100, 10):
        marks.note(now + 1, now)
    assert (marks.front, marks.expires) == (91, 90 + MAX_AGE)
    marks.note(92, 101)
    marks.take(91)
    assert (marks.front, marks.expires) == (1, 101 + MAX_AGE)
