"""How far a source is: never beyond an item that is not settled, and at the end everywhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime.worker.source.progress import Mark, Progress, Stretch


def mark(number: int) -> Mark:
    return Mark(b"%d" % number, number, {})


@given(data=st.data(), sizes=st.lists(st.integers(0, 4), max_size=30), marked=st.data())
def test_the_position_is_the_end_of_the_settled_prefix_in_whatever_order_items_are_settled(
    data: st.DataObject, sizes: list[int], marked: st.DataObject
) -> None:
    progress = Progress()
    stretches: list[Stretch] = []
    made: list[int] = []
    """Items of each complete stretch."""
    outstanding: list[int] = []
    """Per item that is not settled, its stretch."""
    for size in [*sizes, None]:
        while outstanding and (size is None or data.draw(st.booleans())):
            place = data.draw(st.integers(0, len(outstanding) - 1))
            progress.settled(stretches[outstanding.pop(place)], 1)
            check(progress, stretches, made, outstanding)
        if size is None:
            break
        stretch = progress.begin()
        stretches.append(stretch)
        for _ in range(size):
            stretch.emitted += 1
            outstanding.append(len(stretches) - 1)
            if data.draw(st.booleans()):  # settled at once, while more of the stretch is still to come
                outstanding.pop()
                progress.settled(stretch, 1)
                check(progress, stretches, made, outstanding)
        if marked.draw(st.booleans()):
            stretch.mark = mark(len(stretches))
        progress.complete(stretch)
        made.append(size)
        check(progress, stretches, made, outstanding)
    last = max((n for n, each in enumerate(stretches) if each.mark), default=None)
    assert progress.reached == (None if last is None else stretches[last].mark)


def check(progress: Progress, stretches: list[Stretch], made: list[int], outstanding: list[int]) -> None:
    """The model: the last mark before the first stretch that is open or has an item out."""
    first = min([*outstanding, len(made)])
    marks = [each.mark for each in stretches[:first] if each.mark is not None]
    assert progress.reached == (marks[-1] if marks else None)


def test_a_change_is_told_once() -> None:
    progress = Progress()
    stretch = progress.begin()
    stretch.emitted, stretch.mark = 2, mark(2)
    assert not progress.settled(stretch, 1)
    assert not progress.complete(stretch)
    assert progress.settled(stretch, 1)
    assert not progress.complete(progress.begin())
    assert progress.reached == mark(2)


def test_what_is_settled_while_the_source_still_works_on_the_stretch_moves_nothing() -> None:
    progress = Progress()
    stretch = progress.begin()
    stretch.emitted, stretch.mark = 1, mark(1)
    assert not progress.settled(stretch, 1)
    assert progress.reached is None
    assert progress.complete(stretch)
