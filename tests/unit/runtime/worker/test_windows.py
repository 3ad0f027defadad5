"""Windows against a model that keeps everything: the same lists, in the same order, and nothing left
behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime.worker.windows.windows import Output, Rule, Windows

Arrival = tuple[float, str, int]
"""When, of which key, which item."""

SPANS = st.integers(0, 5)
"""Whole seconds, so that windows end just when something comes."""


@st.composite
def streams(draw: st.DrawFn) -> list[Arrival]:
    pauses = draw(st.lists(st.tuples(SPANS, st.sampled_from("ab")), max_size=40))
    now, found = 0.0, []
    for number, (pause, key) in enumerate(pauses):
        now += pause
        found.append((now, key, number))
    return found


def played(rule: Rule, stream: list[Arrival]) -> tuple[list[list[int]], list[int]]:
    """What goes out, each window as a list, and what is let go of; woken up as it asks for."""
    windows, outputs = Windows(rule, 1000), list[Output]()
    for now, key, number in stream:
        while (due := windows.due()) is not None and due < now:
            outputs += windows.advance(due)
        outputs += windows.add(key, 0, number, now)
    while (due := windows.due()) is not None:
        outputs += windows.advance(due)
    outputs += windows.flush()
    assert windows.held == 0
    assert not windows._lanes and not windows._open
    return [list(each.members) for each in outputs], [one for each in outputs for one in each.released]


def of_key(stream: list[Arrival], key: str) -> list[Arrival]:
    return [each for each in stream if each[1] == key]


def check(rule: Rule, stream: list[Arrival], model: Any) -> None:
    """Of each key the windows of the model, in its order; and every item is let go of once."""
    lists, released = played(rule, stream)
    assert sorted(released) == [number for _, _, number in stream]
    for key in "ab":
        mine = of_key(stream, key)
        numbers = {number for _, _, number in mine}
        assert [each for each in lists if numbers.issuperset(each)] == list(model(mine))
    assert all(lists), "no window is empty"


@given(streams(), st.integers(1, 5))
def test_tumbling_by_count_cuts_the_stream_into_pieces(stream: list[Arrival], count: int) -> None:
    def model(mine: list[Arrival]) -> Iterator[list[int]]:
        numbers = [number for _, _, number in mine]
        yield from (numbers[at : at + count] for at in range(0, len(numbers), count))

    check(Rule(count=count), stream, model)


@given(streams(), st.integers(1, 8), st.integers(0, 5))
def test_tumbling_closes_by_time_or_by_count_whichever_comes_first(
    stream: list[Arrival], time: int, count: int
) -> None:
    def model(mine: list[Arrival]) -> Iterator[list[int]]:
        window: list[int] = []
        opened = 0.0
        for now, _, number in mine:
            if window and now >= opened + time:
                yield window
                window = []
            if not window:
                opened = now
            window.append(number)
            if len(window) == count:
                yield window
                window = []
        if window:
            yield window

    check(Rule(count=count, time=time), stream, model)


@given(streams(), st.integers(1, 6), st.data())
def test_sliding_by_count_opens_one_with_each_step(stream: list[Arrival], count: int, data: Any) -> None:
    step = data.draw(st.integers(1, count))

    def model(mine: list[Arrival]) -> Iterator[list[int]]:
        numbers = [number for _, _, number in mine]
        yield from (numbers[at : at + count] for at in range(0, len(numbers), step))

    check(Rule(count=count, step=step), stream, model)


@given(streams(), st.integers(1, 8), st.data())
def test_sliding_by_time_opens_one_with_each_step_that_something_is_in(
    stream: list[Arrival], time: int, data: Any
) -> None:
    every = data.draw(st.integers(1, time))

    def model(mine: list[Arrival]) -> Iterator[list[int]]:
        while mine:
            anchor, opened = mine[0][0], {mine[0][0]}
            burst = list[Arrival]()
            while mine and mine[0][0] < max(opened) + time:
                now = mine[0][0]
                grid = (anchor + number * every for number in range(int(now - anchor) + 1))
                opened |= {opens for opens in grid if opens <= now < opens + time}
                burst.append(mine[0])
                mine = mine[1:]
            for opens in sorted(opened):
                yield [number for now, _, number in burst if opens <= now < opens + time]

    check(Rule(time=time, every=every), stream, model)


@given(streams(), st.integers(1, 6))
def test_a_session_lasts_until_nothing_has_come_for_a_while(stream: list[Arrival], gap: int) -> None:
    def model(mine: list[Arrival]) -> Iterator[list[int]]:
        window: list[Arrival] = []
        for each in mine:
            if window and each[0] >= window[-1][0] + gap:
                yield [number for _, _, number in window]
                window = []
            window.append(each)
        if window:
            yield [number for _, _, number in window]

    check(Rule(gap=gap), stream, model)


SOME = st.integers(1, 6)
RULES = st.one_of(
    SOME.map(lambda count: Rule(count=count)),
    SOME.map(lambda step: Rule(count=6, step=step)),
    SOME.map(lambda every: Rule(time=6, every=every)),
    SOME.map(lambda gap: Rule(gap=gap)),
    SOME.map(lambda time: Rule(time=time)),
)


@given(RULES, streams(), st.sets(st.integers(0, 40)), st.integers(0, 40), st.integers(1, 10))
def test_every_item_is_in_a_window_or_was_forgotten_and_is_let_go_of_once(
    rule: Rule, stream: list[Arrival], gone: set[int], when: int, limit: int
) -> None:
    windows, outputs = Windows(rule, limit), list[Output]()
    forgotten: list[int] = []
    for now, key, number in stream:
        outputs += windows.add(key, 0, number, now)
        assert windows.held <= limit
        if number == when:
            forgotten += windows.forget(gone.__contains__)
            assert windows.held == sum(len(lane.items) for lane in windows._lanes.values())
    outputs += windows.flush()
    assert windows.held == 0
    assert not windows._lanes
    released = [one for each in outputs for one in each.released]
    assert sorted(released + forgotten) == [number for _, _, number in stream]
    assert {one for each in outputs for one in each.members} | set(forgotten) == set(range(len(stream)))
    assert all(each.members for each in outputs)


@given(RULES, streams(), st.integers(0, 40))
def test_windows_of_which_an_item_was_forgotten_go_on_with_the_others(
    rule: Rule, stream: list[Arrival], when: int
) -> None:
    """It is put in again at once, as whoever owns it does: nothing is missing, and nothing twice in one."""
    windows, outputs = Windows(rule, 1000), list[Output]()
    for now, key, number in stream:
        outputs += windows.add(key, 0, number, now)
        if number == when:
            for one in windows.forget(number.__eq__):
                outputs += windows.add(key, 0, one, now)
    outputs += windows.flush()
    assert {one for each in outputs for one in each.members} == set(range(len(stream)))
    assert all(len(set(each.members)) == len(each.members) for each in outputs)


def test_what_closes_by_count_leaves_nothing_to_wake_up_for() -> None:
    windows = Windows(Rule(count=2, time=3600.0), 1000)
    for number in range(10_000):
        windows.add(None, 0, number, 0.0)
    assert windows.held == 0
    assert len(windows._due) < 200


@pytest.mark.parametrize("rule", [Rule(count=3), Rule(count=3, step=1)])
def test_windows_by_count_need_no_clock(rule: Rule) -> None:
    windows = Windows(rule, 1000)
    windows.add(None, 0, "a", 0.0)
    assert windows.due() is None
