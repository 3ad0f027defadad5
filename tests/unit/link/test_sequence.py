"""Whatever way the news of ids takes, items are begun in the order of their source, and all of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.link.course import END, Course, Path
from penstock.link.sequence import Sequencer, name

LINKS = (3, 4)


@dataclass
class Tree:
    """What becomes of one id on one link: it arrives, it never does, or something is made from it."""

    kind: str
    children: list[Tree] = field(default_factory=list)

    def news(self, origin: str, number: int) -> Iterator[tuple[str, tuple[str, int, int]]]:
        """What is told of it."""
        if self.kind == "made":
            below = f"{origin}:{number}"
            for place, child in enumerate(self.children):
                yield from child.news(below, place)
            yield "passed", (below, len(self.children), 0)
        else:
            yield self.kind, (origin, number, 1)

    def items(self, path: Path) -> Iterator[Path]:
        """What arrives, in order."""
        if self.kind == "items":
            yield path
        for place, child in enumerate(self.children):
            yield from child.items((*path, place))


LEAVES = st.sampled_from([Tree("items"), Tree("items"), Tree("passed")])
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3).map(lambda few: Tree("made", few)))
WOODS = st.lists(st.tuples(TREES, TREES), min_size=1, max_size=12)


def sequencer(*links: int) -> Sequencer:
    return Sequencer({link: ["src"] for link in links}, floors={}, notice=lambda root, items: None)


def taken(order: Sequencer) -> Iterator[tuple[Path, int, Any]]:
    """What may be begun now."""
    while (segment := order.take(100)) is not None:
        if not segment.repeat:
            yield from ((segment.path_at(n), segment.link, segment) for n in range(segment.items))


@given(wood=WOODS, luck=st.randoms(use_true_random=False), both=st.booleans())
@settings(max_examples=120)
def test_items_are_begun_in_the_order_of_their_source_however_the_news_of_them_comes(
    wood: list[tuple[Tree, Tree]], luck: random.Random, both: bool
) -> None:
    links = LINKS if both else LINKS[:1]
    order = sequencer(*links)
    news = [
        (link, kind, id)
        for number, trees in enumerate(wood)
        for link, tree in zip(links, trees, strict=False)
        for kind, id in tree.news("src/0", number)
    ]
    luck.shuffle(news)
    news += luck.sample(news, len(news) // 3)  # who dies before he is heard says it again
    begun: list[tuple[Path, int]] = []
    for link, kind, id in news:
        if kind == "items":
            order.arrive(link, object(), [id])
        else:
            order.passed(link, [id])
        begun += [(path, by) for path, by, _ in taken(order)]
    wanted = [
        (path, link)
        for number, trees in enumerate(wood)
        for link, tree in zip(links, trees, strict=False)
        for path in tree.items((number,))
    ]
    assert begun == sorted(wanted)
    assert order.held == 0
    assert order.rows == {} or order.rows["src/0"].floor == (len(wood),)


@given(count=st.integers(1, 20), failing=st.sets(st.integers(0, 19)), luck=st.randoms(use_true_random=False))
def test_what_failed_is_begun_again_or_passed_before_anything_behind_it(
    count: int, failing: set[int], luck: random.Random
) -> None:
    order = sequencer(3)
    numbers = list(range(count))
    luck.shuffle(numbers)
    done: list[int] = []
    again: list[int] = []
    while numbers or again:
        number = again.pop(luck.randrange(len(again))) if again and not numbers else (numbers or again).pop()
        if number in failing and number in done:
            continue
        if again and luck.random() < 0.3:
            order.passed(3, [("src/0", number, 1)])
        else:
            order.arrive(3, object(), [("src/0", number, 1)])
        while (segment := order.take(4)) is not None:
            for place in range(segment.items):
                begun = segment.path_at(place)[0]
                if begun in failing:
                    failing.discard(begun)
                    again.append(begun)
                    order.again(segment, place)
                    if place + 1 < segment.items:
                        order.put_back(segment.part(place + 1, segment.items - place - 1))
                    break
                done.append(begun)
    assert done == sorted(done)


def test_what_was_begun_is_known_when_it_comes_again_and_what_was_passed_is_begun_as_it_comes() -> None:
    order = sequencer(3)
    order.arrive(3, "a", [("src/0", 0, 3)])
    order.passed(3, [("src/0", 3, 2)])
    order.arrive(3, "b", [("src/0", 5, 1)])
    assert [path for path, _, _ in taken(order)] == [(0,), (1,), (2,), (5,)]
    order.arrive(3, "a", [("src/0", 1, 1)], again=True)
    segment = order.take(10)
    assert segment is not None
    assert segment.repeat
    order.arrive(3, "c", [("src/0", 4, 1)])
    assert [path for path, _, _ in taken(order)] == [(4,)]


def test_a_source_that_begins_anew_lets_go_what_waits_for_its_predecessor() -> None:
    told: list[tuple[str, int]] = []
    order = Sequencer({3: ["src"]}, floors={}, notice=lambda root, items: told.append((root, items)))
    order.arrive(3, "a", [("src/0", 4, 2)])
    assert order.take(10) is None
    order.passed(3, [("src/0", 0, 0)])
    assert [path for path, _, _ in taken(order)] == [(4,), (5,)]
    assert told == [("src/0", 2)]
    order.arrive(3, "b", [("src/0", 1, 1)])
    order.arrive(3, "c", [("src/0+1", 0, 1)])
    assert {segment.root for _, _, segment in taken(order)} == {"src/0", "src/0+1"}


def test_that_nobody_is_waited_for_any_more_is_said_once() -> None:
    told: list[tuple[str, int]] = []
    order = Sequencer({3: ["src"]}, floors={}, notice=lambda root, items: told.append((root, items)))
    order.arrive(3, "a", [("src/0", 4, 2)])
    order.passed(3, [("src/0", 0, 0)])
    order.passed(3, [("src/0+1", 0, 0)])
    order.finish()
    assert told == [("src/0", 2)]


def test_who_comes_after_another_begins_where_all_is_settled() -> None:
    order = Sequencer({3: ["src"]}, floors={"src/0": (7, 2)}, notice=lambda root, items: None)
    order.arrive(3, "a", [("src/0:7", 3, 1)])
    assert order.take(10) is None
    order.arrive(3, "b", [("src/0", 6, 1)], again=True)  # it was settled, and nobody had heard of that
    found = order.take(10)
    assert found is not None
    assert found.repeat
    order.arrive(3, "c", [("src/0:7", 2, 1)])
    assert [path for path, _, _ in taken(order)] == [(7, 2), (7, 3)]


def test_the_parts_of_an_origin() -> None:
    found = name("camera/0+2:rejected:17:3")
    assert found == ("camera/0+2:rejected", (17, 3), "camera/0", 2, "camera:rejected", False)
    assert name("camera/0~demo-3fa94c:17").foreign
    assert name("2~camera/0:17") == ("2~camera/0", (17,), "camera/0", 0, "camera", False)
    assert name("2~camera/0~demo-3fa94c:17").foreign


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=30))
def test_a_course_stands_at_the_first_number_that_is_not_told(runs: list[tuple[int, int]]) -> None:
    course, told = Course(), set()
    for first, count in runs:
        course.tell((), first, first + count)
        told |= set(range(first, first + count))
        assert course.at == (next(n for n in range(100) if n not in told),)


def test_a_whole_that_is_told_ends_the_wait_for_its_parts() -> None:
    course = Course()
    course.tell((0,), 1, 2)
    places = [course.at]
    course.tell((), 0, 1)
    places.append(course.at)
    course.tell((1,), 0, END)
    assert [*places, course.at] == [(0, 0), (1,), (2,)]
