"""What is played in order: whoever follows it comes to the end, and awaits exactly what is played."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.link.course import END, Course, Path
from penstock.link.sequence import name
from penstock.runtime.worker.order.score import Gaps, Passed, between, turns

paths = st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple)


def leaves(drawn: list[Path]) -> list[Path]:
    """Without those of which something was made."""
    return sorted({path for path in drawn if not any(path == other[: len(path)] != other for other in drawn)})


def follow(course: Course, words: list[Passed]) -> None:
    for origin, first, items in words:
        course.tell(name(origin).prefix, first, first + items if items else END)


def stands(course: Course, path: Path) -> bool:
    """Whether the first that is not told is ``path``, or what it is the first part of."""
    rest = path[len(course.at) :]
    return course.at + rest == path and not any(rest)


@given(st.lists(paths, max_size=20).map(leaves))
def test_a_course_stands_at_each_item_when_its_turn_has_come_and_at_last_at_the_end(
    played: list[Path],
) -> None:
    gaps, course = Gaps("camera/0", reversed(played)), Course()
    follow(course, list(gaps.next()))
    for path in played:
        assert stands(course, path), "all before it is told, and it is not"
        follow(course, list(gaps.next()))
        assert stands(course, path), "what is behind it does not tell it, either"
        course.tell(path[:-1], path[-1], path[-1] + 1)
    assert course.at == (END,)


@given(st.lists(paths, max_size=20).map(leaves), st.integers(0, 20))
def test_who_stops_in_the_middle_awaits_nothing(played: list[Path], stop: int) -> None:
    gaps, course = Gaps("camera/0", played), Course()
    follow(course, list(gaps.next()))
    for path in played[:stop]:
        course.tell(path[:-1], path[-1], path[-1] + 1)
        follow(course, list(gaps.next()))
    follow(course, list(gaps.rest()))
    assert course.at == (END,)


def test_what_lies_between_two_ids() -> None:
    assert list(between("camera/0", (1, 2), (5, 1))) == [
        ("camera/0:1", 3, 0),
        ("camera/0", 2, 3),
        ("camera/0:5", 0, 1),
    ]
    assert list(between("a/0:odd", (3,), (4,))) == []


@given(
    st.dictionaries(st.sampled_from("ab"), st.dictionaries(paths, st.integers(0, 9), max_size=9), max_size=2)
)
def test_the_turns_of_one_root_are_in_the_order_of_ids_and_never_before_they_went_out(
    sent: dict[str, dict[Path, int]],
) -> None:
    for root, found in turns(sent).items():
        assert set(found) == set(sent[root])
        assert [found[path] for path in sorted(found)] == sorted(found.values())
        assert all(found[path] >= at for path, at in sent[root].items())
        assert set(found.values()) <= set(sent[root].values())
