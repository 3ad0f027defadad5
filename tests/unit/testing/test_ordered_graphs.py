"""Whatever is wired before an ordered sink, with however little room: the run ends, and all comes in order.

The workers are real and in one process; who has the turn and takes none is drawn, so any of them may be slow.
A run in which all wait for each other is found out by the rehearsal itself ("the test is stuck").
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import Context, Pipeline, Reject, Retry, route, sink, source, stage
from penstock.testing import rehearsal

Item = list[int]
"""Which one of its source, and a number on which depends what becomes of it."""


@source
def one() -> Iterator[Item]:
    """Given by the tests."""
    yield from ()


@source
def two() -> Iterator[Item]:
    """Given by the tests."""
    yield from ()


@stage
def same(item: Item) -> Item:
    """As it is."""
    return item


@stage
def sift(item: Item) -> Item | None:
    """Every third is of no interest."""
    return item if item[1] % 3 else None


@stage
def spread(item: Item) -> Iterator[Item]:
    """None, one or two of each."""
    for part in range(item[1] % 3):
        yield [item[0], 2 * item[1] + part]


@stage
def shaky(item: Item, ctx: Context) -> Item:
    """Some fail once or twice, and come later."""
    if ctx.attempt <= item[1] % 3:
        raise Retry("not yet", after=f"{item[1] % 4}s")
    return item


@stage
def fussy(item: Item) -> Item:
    """Some fail for good."""
    if item[1] % 5 == 2:
        raise Reject("never")
    return item


@stage(batch=2)
def paired(items: list[Item]) -> list[Item | None]:
    """Two in a call; some fail in company, and some are of no interest."""
    if len(items) > 1 and any(item[1] % 7 == 3 for item in items):
        raise ValueError("not together")
    return [item if item[1] % 4 else None for item in items]


@stage(ordered=True)
def inner(item: Item, ctx: Context) -> Item | None:
    """In order itself; some fail once, some are of no interest."""
    if item[1] % 6 == 5 and ctx.attempt == 1:
        raise Retry("once more", after="1s")
    return item if item[1] % 4 != 1 else None


@sink(ordered=True)
def keep(item: Item, ctx: Context) -> None:
    """Some fail once."""
    if item[1] % 8 == 6 and ctx.attempt == 1:
        raise ValueError("once more")


@sink(ordered=True, batch=3)
def keep_many(items: list[Item]) -> None:
    """Three in a call."""


def side(item: Item) -> int:
    """Which of two ways."""
    return item[1] // 2 % 2


MAKES: dict[str, Any] = {
    "same": lambda number: [number],
    "sift": lambda number: [number] if number % 3 else [],
    "spread": lambda number: [2 * number + part for part in range(number % 3)],
    "shaky": lambda number: [number],
    "fussy": lambda number: [number] if number % 5 != 2 else [],
    "paired": lambda number: [number] if number % 4 else [],
    "inner": lambda number: [number] if number % 4 != 1 else [],
}
"""What each stage makes of a number, in the end."""
STAGES = {each.name: each for each in (same, sift, spread, shaky, fussy, paired, inner)}


@dataclass
class Step:
    """One stage of a drawn pipeline."""

    kind: str
    replicas: int
    window: int

    def stage(self, name: str) -> Any:
        """The stage, by a name of its own."""
        window = max(self.window, STAGES[self.kind].options.batch or 0)
        replicas: Any = {} if self.kind == "inner" else {"replicas": self.replicas}
        return STAGES[self.kind].named(name).with_options(window=window, **replicas)


STEPS = st.builds(Step, st.sampled_from(sorted(MAKES)), st.integers(1, 4), st.integers(1, 4))


def after(steps: list[Step], items: list[Item]) -> list[Item]:
    """What comes out of these, in order."""
    for step in steps:
        items = [[root, made] for root, number in items for made in MAKES[step.kind](number)]
    return items


def chain(steps: list[Step], name: str) -> list[Any]:
    return [step.stage(f"{name}{place}") for place, step in enumerate(steps)]


def wired(*stages: Any) -> Any:
    flow = stages[0]
    for each in stages[1:]:
        flow = flow >> each
    return flow


def slow(seed: int) -> type[rehearsal.Rehearsal]:
    """A rehearsal whose workers let their turns go by, as dice of that seed say."""
    dice = random.Random(seed)

    class Slow(rehearsal.Rehearsal):
        def _go(self, part: Any) -> None:
            # As a real supervisor, it has all meet before the first item is made.
            if dice.random() < 0.7 or not all(each.bound for each in self._parts):
                super()._go(part)

    return Slow


def kept(flow: Any, items: dict[str, list[Item]], last: Any, seed: int) -> list[Item]:
    """What the sink gets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearsal, "Rehearsal", slow(seed))
        return Pipeline("demo", flow).test(items).sinks[last.name]


LAST = st.builds(
    lambda last, window: last.with_options(window=max(window, last.options.batch or 0)),
    st.sampled_from([keep, keep_many]),
    st.integers(1, 4),
)
ITEMS = st.integers(0, 24).map(lambda count: [[number, number] for number in range(count)])
DICE = st.integers(0, 1 << 30)

drawn = settings(max_examples=25)


@drawn
@given(steps=st.lists(STEPS, max_size=3), last=LAST, items=ITEMS, seed=DICE)
def test_a_chain_ends_in_order(steps: list[Step], last: Any, items: list[Item], seed: int) -> None:
    flow = wired(one, *chain(steps, "step"), last)
    assert kept(flow, {"one": items}, last, seed) == after(steps, items)


@drawn
@given(
    before=st.lists(STEPS, max_size=1),
    ways=st.tuples(*[st.lists(STEPS, min_size=1, max_size=2)] * 2),
    last=LAST,
    items=ITEMS,
    seed=DICE,
)
def test_ways_that_part_end_in_order(
    before: list[Step], ways: Any, last: Any, items: list[Item], seed: int
) -> None:
    left, right = chain(ways[0], "left"), chain(ways[1], "right")
    flow = wired(one, *chain(before, "step")) >> route(left[0], right[0], by=side)
    found = kept((flow, wired(*left, last), wired(*right, last)), {"one": items}, last, seed)
    assert found == [made for item in after(before, items) for made in after(ways[side(item)], [item])]


@drawn
@given(
    before=st.lists(STEPS, max_size=1),
    ways=st.tuples(*[st.lists(STEPS, min_size=1, max_size=2)] * 2),
    last=LAST,
    items=ITEMS,
    seed=DICE,
)
def test_copies_end_in_order(before: list[Step], ways: Any, last: Any, items: list[Item], seed: int) -> None:
    left, right = chain(ways[0], "left"), chain(ways[1], "right")
    flow = wired(one, *chain(before, "step")) >> (left[0], right[0])
    found = kept((flow, wired(*left, last), wired(*right, last)), {"one": items}, last, seed)
    roots = [root for root, _ in found]
    assert roots == sorted(roots)
    assert sorted(found) == sorted([item for way in ways for item in after([*before, *way], items)])


@drawn
@given(
    ways=st.tuples(*[st.lists(STEPS, max_size=2)] * 2), last=LAST, items=st.tuples(ITEMS, ITEMS), seed=DICE
)
def test_two_sources_end_each_in_its_order(ways: Any, last: Any, items: Any, seed: int) -> None:
    first = items[0]
    second = [[root + 1000, number] for root, number in items[1]]
    flow = (wired(one, *chain(ways[0], "left"), last), wired(two, *chain(ways[1], "right"), last))
    found = kept(flow, {"one": first, "two": second}, last, seed)
    assert [item for item in found if item[0] < 1000] == after(ways[0], first)
    assert [item for item in found if item[0] >= 1000] == after(ways[1], second)
