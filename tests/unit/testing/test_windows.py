"""Windows in a rehearsal: the real worker with a clock that stands still until all wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from penstock import Context, Pipeline, Retry, UserError, session, sink, sliding, source, stage, tumbling


@source
def numbers() -> Iterator[int]:
    yield from range(7)


@source
def more() -> Iterator[int]:
    yield from range(100, 103)


@source
def clicks() -> Iterator[dict[str, Any]]:
    for number in range(9):
        yield {"user": "abc"[number % 3], "number": number}


@dataclass
class Reading:
    sensor: str
    value: float


@source
def readings() -> Iterator[Reading]:
    for number in range(4):
        yield Reading("xy"[number % 2], number)


def sensor(reading: Reading) -> str:
    return reading.sensor


@source
def frames() -> Iterator[Any]:
    for number in range(3):
        yield np.full(100_000, number, "i4")


@stage
def in_time(number: int, ctx: Context) -> int:
    """Each comes so many hours after the beginning."""
    if ctx.attempt == 1 and number:
        raise Retry("not yet", after=f"{number}h")
    return number


@stage
def total(found: list[int]) -> int:
    return sum(found)


@sink
def save(found: Any) -> None: ...


@sink
def keep(found: list[Reading]) -> None: ...


def test_each_window_is_a_list_and_what_is_open_at_the_end_goes_out_as_it_is() -> None:
    result = Pipeline("t", numbers >> tumbling(count=3) >> save).test()
    assert result["save"] == [[0, 1, 2], [3, 4, 5], [6]]
    assert result.ledger["numbers→tumbling"].settled == 7
    assert result.totals.through == 7


def test_windows_slide_by_count() -> None:
    result = Pipeline("t", numbers >> sliding(count=4, step=2) >> save).test()
    assert result["save"] == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6], [6]]
    assert result.ledger["numbers→sliding"].settled == 7


def test_each_key_has_windows_of_its_own() -> None:
    result = Pipeline("t", clicks >> tumbling(count=2, by="user") >> save).test()
    assert [[each["number"] for each in found] for found in result["save"]] == [
        [0, 3], [1, 4], [2, 5], [6], [7], [8],
    ]  # fmt: skip


def test_a_function_gets_what_its_annotation_says_and_so_does_the_stage_behind() -> None:
    result = Pipeline("t", readings >> tumbling(count=2, by=sensor) >> keep).test()
    assert result["keep"] == [
        [Reading("x", 0), Reading("x", 2)],
        [Reading("y", 1), Reading("y", 3)],
    ]


def test_arrays_are_kept_and_go_on() -> None:
    result = Pipeline("t", frames >> tumbling(count=2) >> save).test()
    assert [[array[0] for array in found] for found in result["save"]] == [[0, 1], [2]]


def test_what_is_to_come_again_is_waited_for_before_the_last_window_goes() -> None:
    result = Pipeline("t", numbers >> in_time >> tumbling(count=100) >> save).test()
    assert result["save"] == [[0, 1, 2, 3, 4, 5, 6]]


def test_a_window_of_some_time_opens_with_an_item_and_closes_by_the_clock() -> None:
    result = Pipeline("t", numbers >> in_time >> tumbling(time="2h") >> save).test()
    assert result["save"] == [[0, 1], [2, 3], [4, 5], [6]]
    assert [each.at for each in result.deliveries if each.stage == "save"] == [7200, 14400, 21600, 21600]


def test_a_window_that_slides_by_time_has_what_came_meanwhile() -> None:
    result = Pipeline("t", numbers >> in_time >> sliding(time="3h", step="2h") >> save).test()
    assert result["save"] == [[0, 1, 2], [2, 3, 4], [4, 5, 6], [6]]


def test_a_session_ends_after_a_pause() -> None:
    hours = {numbers.name: [0, 1, 2, 5, 6, 9]}
    result = Pipeline("t", numbers >> in_time >> session(gap="2h") >> save).test(hours)
    assert result["save"] == [[0, 1, 2], [5, 6], [9]]


def test_windows_of_windows_are_whole() -> None:
    deep = numbers >> tumbling(count=2, name="pairs") >> total >> tumbling(count=3, name="triples") >> save
    result = Pipeline("t", deep).test()
    assert result["save"] == [[1, 5, 9], [6]]


def test_windows_that_go_out_all_at_once_are_all_waited_for() -> None:
    items = [{"user": number} for number in range(9_000)]
    deep = clicks >> tumbling(count=2, by="user") >> tumbling(count=100_000, name="all") >> save
    result = Pipeline("t", deep).test(items)
    assert [len(found) for found in result["save"]] == [9_000]


def test_items_of_several_flows_share_the_windows() -> None:
    result = Pipeline("t", (numbers, more) >> tumbling(count=100) >> save).test()
    assert [sorted(found) for found in result["save"]] == [[0, 1, 2, 3, 4, 5, 6, 100, 101, 102]]


def test_an_item_without_the_key_is_a_dead_letter_and_the_others_are_put_together() -> None:
    items = [{"user": "a"}, {"name": "b"}, {"user": ["a"]}, {"user": "a"}]
    result = Pipeline("t", clicks >> tumbling(count=2, by="user") >> save).test(items)
    assert result["save"] == [[{"user": "a"}, {"user": "a"}]]
    assert [each.cause for each in result.dead] == [
        "WiringError: by='user': a dict without it",
        "WiringError: by='user': a list cannot be a key; text, bytes, numbers and tuples of these can",
    ]


def test_what_fails_behind_a_window_is_a_letter_with_the_whole_window() -> None:
    @sink(max_failures=0)
    def picky(found: list[int]) -> None:
        if 3 in found:
            raise ValueError("not 3")

    result = Pipeline("t", numbers >> tumbling(count=3) >> save).test(replace={"save": picky.target})
    (letter,) = result.dead
    assert letter.value == [3, 4, 5]
    assert letter.id == "tumbling/0:1"
    assert result.ledger["numbers→tumbling"].settled == 7


def test_when_too_much_is_kept_the_oldest_window_goes_out_before_its_time() -> None:
    result = Pipeline("t", clicks >> tumbling(count=3, by="user", limit=4) >> save).test()
    assert [[each["number"] for each in found] for found in result["save"]] == [
        [0, 3], [1, 4], [2, 5, 8], [6], [7],
    ]  # fmt: skip


def test_a_window_has_no_code_to_replace() -> None:
    pipeline = Pipeline("t", numbers >> tumbling(count=3) >> save)
    with pytest.raises(UserError, match="'tumbling' is a window or a join, which has no code to replace"):
        pipeline.test(replace={"tumbling": total})
