"""What shares a process dies with it, and nothing of it is lost."""

from __future__ import annotations

import random

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.fault


def wanted(items: int, *missing: int) -> set[int]:
    """What is to be on the tape: of every second number itself and its opposite."""
    numbers = set(range(0, items, 2)) - set(missing)
    return numbers | {-number for number in numbers}


@pytest.mark.timeout(900)
def test_every_item_goes_through_all_steps_though_random_workers_are_killed(
    rig: Rig, long_form: bool
) -> None:
    items, kills = (500_000, 20) if long_form else (30_000, 5)
    luck = random.Random(7)
    run = rig.start("fused", ITEMS=items)
    part = items // (kills + 1)
    killed: list[str] = []
    for number in range(kills):
        victim = luck.choice(run.until_whole())
        beyond = run.noted("record") + luck.randrange(part // 2)
        run.open("count", (number + 1) * part)
        run.until_noted("record", beyond)
        run.kill(victim)
        killed.append(victim.label)
    run.open("count")
    account = run.end(within=600)
    assert set(run.tape("record")) == wanted(items)
    assert account["totals"]["dead"] == 0
    assert len(run.lines("killed (SIGKILL)")) == kills, (killed, run.said)
    assert [link["link"] for link in account["links"]] == ["count→Touch", "Touch→Record"]


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("raises", "add: ValueError: 700 is more than I can bear"),
        ("kills", "killed (SIGKILL)"),
        ("hangs", "timed out after 1 s"),
    ],
)
def test_the_item_with_which_a_step_fails_is_given_up_and_its_neighbours_pass(
    rig: Rig, how: str, cause: str
) -> None:
    run = rig.start("fused", ITEMS=2_000, HOW=how, BAD=700)
    run.open("count")
    account = run.end()
    (letter,) = run.letters()
    assert cause in letter.cause
    assert (letter.stage, letter.value(), letter.failures) == ("Touch", 700, 2)
    assert set(run.tape("record")) == wanted(2_000, 700)
    assert account["totals"]["dead"] == 1


def test_a_drain_delivers_what_is_between_the_steps(rig: Rig) -> None:
    run = rig.start("fused", ITEMS=2_000)
    run.open("count", 100)
    run.until(lambda: run.noted("record") == 100, "a hundred items are through")
    run.type("drain")
    account = run.end()
    assert sorted(run.tape("record")) == sorted([*range(0, 100, 2), *range(0, -100, -2)])
    assert account["totals"]["entered"] == 100
