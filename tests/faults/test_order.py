"""What a stage gets in order it gets in order, and whole, whoever dies on the way."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault


def expected(items: int) -> list[int]:
    """What ``orderly`` is to record, in this order."""
    let_through = (number for number in range(items) if number % 3 and number % 1000 != 500)
    return [10 * number + part for number in let_through for part in range(number % 4)]


def dead(items: int) -> int:
    """How many are refused."""
    return len(range(500, items, 1000))


def harass(run: Run, stages: list[str], *, items: int, rounds: int, luck: random.Random) -> None:
    """Let items through, part by part, and kill somebody in the middle of each, of all stages in turn."""
    part = items // (rounds + 1)
    for number, stage in zip(range(rounds), itertools.cycle(stages), strict=False):
        run.until_whole()
        noted = run.noted("record")
        run.open("count", (number + 1) * part)
        run.until_noted("record", noted)
        run.until((run.state / "positions" / "count.0").exists, "the source could go on")
        run.kill(luck.choice(run.workers(stage)))
    run.open("count")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("way", "stages"),
    [("one", ["sift", "spread", "count"]), ("concurrency", ["sift"]), ("threads", ["sift"])],
)
def test_the_order_is_kept_and_nothing_comes_twice_whoever_dies_before_the_sink(
    rig: Rig, way: str, stages: list[str], long_form: bool
) -> None:
    items, rounds = (200_000, 40) if long_form else (8_000, 3)
    run = rig.start("orderly", ITEMS=items, WAY=way)
    harass(run, stages, items=items, rounds=rounds, luck=random.Random(11))
    account = run.end(within=300)
    assert run.tape("record") == expected(items)
    assert len({letter.id for letter in run.letters()}) == dead(items)
    assert account["totals"]["lost"] == 0


@pytest.mark.timeout(600)
def test_the_order_is_kept_when_the_sink_dies_and_only_what_was_not_settled_comes_again(
    rig: Rig, long_form: bool
) -> None:
    items, rounds = (200_000, 40) if long_form else (8_000, 3)
    run = rig.start("orderly", ITEMS=items)
    harass(run, ["sift", "spread", "Record"], items=items, rounds=rounds, luck=random.Random(12))
    run.end(within=300)
    tape = run.tape("record")
    assert list(dict.fromkeys(tape)) == expected(items), "all, in order"
    steps_back = sum(second <= first for first, second in itertools.pairwise(tape))
    assert steps_back <= rounds, "one step back for each death of the sink, and from there in order"


@pytest.mark.timeout(600)
def test_an_ordered_stage_is_restarted_and_not_scaled_and_the_order_is_kept(
    rig: Rig, long_form: bool
) -> None:
    items, rounds = (60_000, 10) if long_form else (4_000, 2)
    run = rig.start("orderly", ITEMS=items)
    part = items // (rounds + 1)
    for number in range(rounds):
        run.until_whole()
        noted = run.noted("record")
        run.open("count", (number + 1) * part)
        run.until_noted("record", noted)
        run.type("restart", "Record", "--timeout", "30s")
        run.type("scale", f"sift={3 + number % 3}", "--wait", "--timeout", "30s")
    assert run.type("scale", "Record=2", code=4) == ""
    run.open("count")
    run.end(within=300)
    tape = run.tape("record")
    assert list(dict.fromkeys(tape)) == expected(items), "all, in order"
