"""What a sink with ``dedupe=`` has done comes again when somebody upstream dies, and is not done again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.rig import ARRIVAL, Rig, Run

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

HOW: list[Any] = [
    pytest.param({}, id="one by one"),
    pytest.param({"REPLICAS": 2}, id="two replicas", marks=pytest.mark.long),
    pytest.param({"BATCH": 8}, id="in batches"),
]


@pytest.fixture
def rounds(long_form: bool) -> range:
    """How often somebody is killed."""
    return range(1, 25 if long_form else 4)


@pytest.fixture
def items(long_form: bool) -> int:
    """More than are done in all rounds: eight in a call, and half as many numbers as are saved."""
    return 5_000 if long_form else 600


def begun(rig: Rig, items: int, **how: Any) -> Run:
    run = rig.start("once", ITEMS=items, **how)
    run.open("count")
    return run


def end(run: Run, items: int) -> int:
    """Let it go on to its end; how many copies were kept back."""
    for gate in ("count", "split", "save"):
        run.open(gate)
    account = run.end(within=ARRIVAL)
    assert account["totals"]["dead"] == 0
    assert set(run.tape("saved")) == set(range(2 * items)), "nothing was left out"
    return int(account["links"][-1]["duplicates"])


@pytest.mark.parametrize("how", HOW)
def test_when_the_stage_before_it_is_killed_nothing_is_done_twice(
    rig: Rig, how: dict[str, Any], items: int, rounds: range
) -> None:
    run = begun(rig, items, **how)
    run.open("save")
    run.open("split", 21)
    run.until_noted("saved", 42)  # all that it has made is done, half of what is in its hand, too
    kill_where_it_waits(run, "split", rounds)
    assert end(run, items) > 0, "what was done has come again"
    assert len(run.tape("saved")) == 2 * items


@pytest.mark.parametrize("how", HOW)
def test_when_it_is_killed_itself_its_successor_knows_what_is_done(
    rig: Rig, how: dict[str, Any], items: int, rounds: range
) -> None:
    run = begun(rig, items, **how)
    run.open("split")
    kill_where_it_waits(run, "save", rounds)
    end(run, items)
    assert len(run.tape("saved")) == 2 * items


def kill_where_it_waits(run: Run, stage: str, rounds: range) -> None:
    """Kill all workers of a stage, again and again, each after a call more than the last one: then they
    wait between two calls, and what was sent to them is partly done."""
    for each in rounds:
        calls = 20 + each
        run.open(stage, calls)
        run.until(lambda so_many=calls: has_stopped(run, stage, so_many), f"{stage} waits")  # type: ignore[misc]
        for worker in run.workers(stage.title()):
            run.kill(worker)
        run.until_whole()


def has_stopped(run: Run, stage: str, calls: int) -> bool:
    """Whether each of its workers has begun the call that it may not do yet. (That is another each round.)"""
    return run.tape(stage).count(calls) >= len(run.workers(stage.title()))


def test_when_the_source_is_killed_and_goes_on_nothing_is_done_twice(
    rig: Rig, items: int, rounds: range
) -> None:
    run = rig.start("once", ITEMS=items)
    run.open("save")
    run.open("split")
    for each in rounds:
        run.open("count", 20 * each)
        run.until_noted("saved", 30 * each - 1)
        run.kill(run.worker("count"))
    end(run, items)
    assert len(run.tape("saved")) == 2 * items


def test_a_source_that_is_killed_before_anything_is_settled_makes_the_same_again(
    rig: Rig, items: int
) -> None:
    run = rig.start("once", ITEMS=items)
    run.open("count", 1)
    run.open("split")
    run.open("save", 1)
    run.until(lambda: has_stopped(run, "save", 1), "half of the first number is saved")
    run.kill(run.worker("count"))
    assert end(run, items) > 0, "what was done has come again"
    assert len(run.tape("saved")) == 2 * items


def test_without_it_the_same_is_done_twice(rig: Rig, items: int, rounds: range) -> None:
    """So the others prove something."""
    run = begun(rig, items, DEDUPE=0)
    run.open("save")
    kill_where_it_waits(run, "split", rounds)
    assert end(run, items) == 0
    assert len(run.tape("saved")) > 2 * items
