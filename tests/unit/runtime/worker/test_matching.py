"""Joins against a model that looks at everything: rows of the same items, and nobody is waited for in
vain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime.worker.windows.matching import Matching
from penstock.runtime.worker.windows.windows import Output

Arrival = tuple[float, str, int, int]
"""When, of which key, by which flow, which item."""

WITHIN = 3


@st.composite
def streams(draw: st.DrawFn, sides: int = 2) -> list[Arrival]:
    drawn = draw(
        st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.integers(0, sides - 1)), max_size=40)
    )
    now, found = 0.0, []
    for number, (pause, key, side) in enumerate(drawn):
        now += pause
        found.append((now, key, side, number))
    return found


def played(stream: list[Arrival], *, sides: int, how: str = "inner") -> list[Output]:
    """What goes out, by the matching's own clock."""
    matching, outputs = Matching(sides, WITHIN, how, 1000), list[Output]()
    for now, key, side, number in stream:
        while (due := matching.due()) is not None and due < now:
            outputs += matching.advance(due)
        outputs += matching.add(key, side, number, now)
    while (due := matching.due()) is not None:
        outputs += matching.advance(due)
    assert matching.held == 0
    assert not matching._lines
    return outputs


def rows(outputs: list[Output]) -> list[list[Any]]:
    return [list(each.members) for each in outputs if each.members]


def model(stream: list[Arrival]) -> list[list[int]]:
    """Each, as it comes, takes the oldest of the other flow that has not waited too long and is not taken."""
    waiting = list[Arrival]()
    found = []
    for arrival in stream:
        now, key, side, number = arrival
        others = [each for each in waiting if each[1] == key and each[2] != side and now <= each[0] + WITHIN]
        if others:
            waiting.remove(others[0])
            pair = [0, 0]
            pair[side], pair[1 - side] = number, others[0][3]
            found.append(pair)
        else:
            waiting.append(arrival)
    return found


@given(streams())
def test_of_two_flows_each_takes_the_oldest_that_waits(stream: list[Arrival]) -> None:
    assert rows(played(stream, sides=2)) == model(stream)


@given(streams(sides=3), st.sampled_from(["inner", "left", "outer"]))
def test_each_item_goes_once_and_no_row_is_further_apart_than_it_may(stream: list[Arrival], how: str) -> None:
    outputs = played(stream, sides=3, how=how)
    released = [one for each in outputs for one in each.released]
    assert sorted(released) == [number for _, _, _, number in stream]
    for row in rows(outputs):
        present = [stream[number] for number in row if number is not None]
        assert len({key for _, key, _, _ in present}) == 1
        assert [side for _, _, side, _ in present] == [at for at, one in enumerate(row) if one is not None]
        assert max(now for now, *_ in present) - min(now for now, *_ in present) <= WITHIN
        assert how == "outer" or row[0] is not None
        assert how != "inner" or None not in row


@given(streams(sides=3))
def test_an_outer_join_leaves_nobody_out_and_a_left_join_none_of_the_first_flow(
    stream: list[Arrival],
) -> None:
    assert all(each.members for each in played(stream, sides=3, how="outer"))
    alone = [one for each in played(stream, sides=3, how="left") if not each.members for one in each.released]
    assert all(stream[number][2] for number in alone)


@given(streams())
def test_a_left_join_has_the_rows_of_the_inner_one_and_the_rest_of_the_first_flow(
    stream: list[Arrival],
) -> None:
    inner = rows(played(stream, sides=2))
    left = rows(played(stream, sides=2, how="left"))
    assert [row for row in left if None not in row] == inner
    assert {row[0] for row in left} == {number for _, _, side, number in stream if side == 0}


@given(streams(), st.integers(1, 4))
def test_a_flow_that_is_ahead_has_to_wait_and_the_other_has_not(stream: list[Arrival], limit: int) -> None:
    matching = Matching(2, WITHIN, "inner", limit)
    waiting = [0, 0]
    for now, key, side, number in stream:
        if matching.room(side):
            outputs = matching.add(key, side, number, now)
            waiting[side] += 1
            for one in (one for each in outputs for one in each.released):
                waiting[stream[one][2]] -= 1
        assert [matching.room(each) for each in (0, 1)] == [limit - each for each in waiting]
        assert matching.held == sum(waiting) <= 2 * limit


@given(streams(), st.sampled_from(["inner", "left", "outer"]), st.integers(0, 1))
def test_who_waits_for_a_flow_that_has_ended_waits_in_vain(
    stream: list[Arrival], how: str, side: int
) -> None:
    matching = Matching(2, 1000, how, 1000)
    for now, key, from_side, number in stream:
        matching.add(key, from_side, number, now)
    others = [entry.member for entry in matching._waiting.values() if entry.side != side]
    mine = [entry.member for entry in matching._waiting.values() if entry.side == side]
    outputs = matching.give_up(side)
    assert [one for each in outputs for one in each.released] == mine
    assert [entry.member for entry in matching._waiting.values()] == others
    assert all(bool(each.members) is (how == "outer" or (how == "left" and not side)) for each in outputs)


@given(streams(), st.sets(st.integers(0, 40)))
def test_who_comes_again_by_another_way_waits_no_more(stream: list[Arrival], gone: set[int]) -> None:
    matching, outputs = Matching(2, WITHIN, "outer", 1000), list[Output]()
    for now, key, side, number in stream[:-1]:
        outputs += matching.add(key, side, number, now)
    forgotten = matching.forget(gone.__contains__)
    assert gone.issuperset(forgotten)
    after = matching.flush()
    released = [one for each in [*outputs, *after] for one in each.released]
    assert sorted(released + forgotten) == list(range(len(stream[:-1])))
    assert not gone.intersection(one for each in after for one in each.released)
    assert not matching._lines


@pytest.mark.parametrize(("pause", "found"), [(WITHIN, [[0, 1]]), (WITHIN + 0.1, [])])
def test_who_comes_at_the_last_moment_comes_in_time(pause: float, found: list[list[int]]) -> None:
    matching = Matching(2, WITHIN, "inner", 1000)
    outputs = [*matching.add("a", 0, 0, 0.0), *matching.add("a", 1, 1, pause)]
    assert rows(outputs) == found
