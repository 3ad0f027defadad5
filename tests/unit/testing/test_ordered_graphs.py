"""Whatever is wired before an ordered sink, with however little room, and whoever is killed: the run ends,
and all comes in order; twice only what the sink had not settled when it died.

The workers are real and in one process; who lets its turn go by is drawn, and who dies (see ``deadly``).
A run in which all wait for each other is found out by the rehearsal itself ("the test is stuck").
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import Context, Reject, Retry, route, sink, source, stage
from tests.unit.testing.deadly import Fate, play

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


@stage(concurrency=3)
async def fetch(item: Item, ctx: Context) -> Item | None:
    """Three at once, that overtake each other; some fail once, some are of no interest."""
    await asyncio.sleep(item[1] * 7 % 5)
    if item[1] % 9 == 4 and ctx.attempt == 1:
        raise Retry("once more", after="1s")
    return item if item[1] % 4 != 2 else None


@stage(threads=2)
def split(item: Item, ctx: Context) -> Item | None:
    """Two of some: the last one is returned."""
    if item[1] % 3 == 0:
        return None
    if item[1] % 3 == 1:
        ctx.emit("", [item[0], 2 * item[1]])
    return [item[0], 2 * item[1] + 1]


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


@sink(ordered=True)
async def keep_async(item: Item) -> None:
    """Some take longer."""
    await asyncio.sleep(item[1] % 3)


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
    "fetch": lambda number: [number] if number % 4 != 2 else [],
    "split": lambda number: [[], [2 * number, 2 * number + 1], [2 * number + 1]][number % 3],
    "inner": lambda number: [number] if number % 4 != 1 else [],
}
"""What each stage makes of a number, in the end."""
STAGES = {each.name: each for each in (same, sift, spread, shaky, fussy, paired, fetch, split, inner)}


@dataclass
class Step:
    """One stage of a drawn pipeline."""

    kind: str
    replicas: int
    window: int

    def stage(self, name: str) -> Any:
        """The stage, by a name of its own."""
        options = STAGES[self.kind].options
        window = max(self.window, options.batch, options.concurrency, options.threads)
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


def in_order(lives: list[list[Item]], wanted: list[Item]) -> bool:
    """Whether what comes for the first time comes in order, and all of it, and in no life of the sink twice.

    What comes again is in order, too, unless who had sent it dies as well.
    """
    had: list[Item] = []
    for life in lives:
        assert len({tuple(item) for item in life}) == len(life)
        had += [item for item in life if item not in had]
    return had == wanted


LAST = st.builds(
    lambda last, window: last.with_options(window=max(window, last.options.batch)),
    st.sampled_from([keep, keep_many, keep_async]),
    st.integers(1, 4),
)
ITEMS = st.integers(0, 24).map(lambda count: [[number, number] for number in range(count)])
FATE = st.builds(Fate, st.integers(0, 1 << 30), st.integers(0, 4))

drawn = settings(max_examples=25)


@drawn
@given(steps=st.lists(STEPS, max_size=3), last=LAST, items=ITEMS, fate=FATE)
def test_a_chain_ends_in_order(steps: list[Step], last: Any, items: list[Item], fate: Fate) -> None:
    flow = wired(one, *chain(steps, "step"), last)
    assert in_order(play(flow, {"one": items}, last.name, fate), after(steps, items))


@drawn
@given(
    before=st.lists(STEPS, max_size=1),
    ways=st.tuples(*[st.lists(STEPS, min_size=1, max_size=2)] * 2),
    last=LAST,
    items=ITEMS,
    fate=FATE,
)
def test_ways_that_part_end_in_order(
    before: list[Step], ways: Any, last: Any, items: list[Item], fate: Fate
) -> None:
    left, right = chain(ways[0], "left"), chain(ways[1], "right")
    flow = wired(one, *chain(before, "step")) >> route(left[0], right[0], by=side)
    found = play((flow, wired(*left, last), wired(*right, last)), {"one": items}, last.name, fate)
    assert in_order(
        found, [made for item in after(before, items) for made in after(ways[side(item)], [item])]
    )


@drawn
@given(
    before=st.lists(STEPS, max_size=1),
    ways=st.tuples(*[st.lists(STEPS, min_size=1, max_size=2)] * 2),
    last=LAST,
    items=ITEMS,
    fate=FATE,
)
def test_copies_end_in_order(before: list[Step], ways: Any, last: Any, items: list[Item], fate: Fate) -> None:
    left, right = chain(ways[0], "left"), chain(ways[1], "right")
    flow = wired(one, *chain(before, "step")) >> (left[0], right[0])
    found = play((flow, wired(*left, last), wired(*right, last)), {"one": items}, last.name, fate)
    for life in found:
        roots = [root for root, _ in life]
        assert roots == sorted(roots) or fate.cuts
    wanted = Counter(tuple(item) for way in ways for item in after([*before, *way], items))
    came = Counter(tuple(item) for life in found for item in life)
    assert came >= wanted if fate.cuts else came == wanted
    assert came.keys() == wanted.keys()


@drawn
@given(
    ways=st.tuples(*[st.lists(STEPS, max_size=2)] * 2), last=LAST, items=st.tuples(ITEMS, ITEMS), fate=FATE
)
def test_two_sources_end_each_in_its_order(ways: Any, last: Any, items: Any, fate: Fate) -> None:
    first = items[0]
    second = [[root + 1000, number] for root, number in items[1]]
    flow = (wired(one, *chain(ways[0], "left"), last), wired(two, *chain(ways[1], "right"), last))
    found = play(flow, {"one": first, "two": second}, last.name, fate)
    assert in_order([[item for item in life if item[0] < 1000] for life in found], after(ways[0], first))
    assert in_order([[item for item in life if item[0] >= 1000] for life in found], after(ways[1], second))
