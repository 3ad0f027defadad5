"""Windows and joins: what they keep is nobody's alone, so no death loses any of it."""

from __future__ import annotations

import random

import pytest

from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault

KEYS = 7
LONGEST = 20


def assert_whole(run: Run, items: int, *, within: float = 30) -> dict[str, int]:
    """Every item was in a window and in a pair, and the account adds up."""
    account = run.end(within=within)
    assert set(run.tape("windows")) == set(range(items))
    assert set(run.tape("pairs")) == set(range(items))
    assert max(run.tape("lengths")) == LONGEST
    totals: dict[str, int] = account["totals"]
    assert totals["dead"] == 0
    assert totals["through"] == totals["entered"] >= 2 * items
    return totals


def kept(run: Run) -> dict[str, int]:
    """What each worker keeps."""
    return {
        each["worker"]: each["kept"]
        for stage in run.ps()["stages"]
        for each in stage["replicas"]
        if "pid" in each
    }


def test_what_is_open_goes_out_when_nothing_more_can_come(rig: Rig) -> None:
    items = 1_003
    run = rig.start("shapes", ITEMS=items)
    run.open("count")
    assert_whole(run, items)
    assert len(run.tape("pairs")) == items, "nobody died, so each is in one pair"
    assert len(run.tape("lengths")) == sum(-(-len(range(key, items, KEYS)) // 10) for key in range(KEYS))


def test_what_is_kept_when_somebody_dies_comes_again(rig: Rig) -> None:
    victims = ["windows", "pairs", "left", "Windows", "count"]
    items = 505 * (len(victims) + 1)
    run = rig.start("shapes", ITEMS=items)
    for number, victim in enumerate(victims, 1):
        run.until_whole()
        run.open("count", 505 * number)
        run.until(lambda: kept(run).get("windows/0", 0) >= 70, "windows are open")
        run.until(lambda so_far=505 * number: len(set(run.tape("pairs"))) >= so_far, "pairs are made")  # type: ignore[misc]
        run.kill(run.workers(victim)[0])
    run.open("count")
    assert_whole(run, items)


def test_a_drain_lets_out_what_is_open(rig: Rig) -> None:
    run = rig.start("shapes", ITEMS=1_000_000)
    run.until_whole()
    run.open("count", 25)
    run.until(lambda: run.noted("pairs") == 25, "all are in pairs")
    assert run.noted("windows") == 0
    run.type("drain")
    run.open("count")
    account = run.end()
    assert sorted(set(run.tape("windows"))) == sorted(set(run.tape("pairs")))
    assert account["totals"]["entered"] == account["totals"]["through"] >= 50


@pytest.mark.timeout(900)
def test_every_item_is_in_a_window_and_in_a_pair_though_random_workers_are_killed(
    rig: Rig, long_form: bool
) -> None:
    items, kills = (300_000, 20) if long_form else (20_000, 5)
    luck = random.Random(7)
    run = rig.start("shapes", ITEMS=items)
    part = items // (kills + 1)
    for kill in range(kills):
        victim = luck.choice(run.until_whole())
        beyond = run.noted("pairs") + luck.randrange(part // 2)
        run.open("count", (kill + 1) * part)
        run.until_noted("pairs", beyond)
        run.kill(victim)
    run.open("count")
    assert_whole(run, items, within=600)
    assert len(run.lines("killed (SIGKILL)")) == kills


@pytest.mark.parametrize(
    "victim",
    [
        "frames",
        pytest.param("brighter", marks=pytest.mark.long),
        "clips",
        pytest.param("Look", marks=pytest.mark.long),
    ],
)
def test_arrays_in_open_windows_stay_what_they_are_whoever_dies(rig: Rig, victim: str) -> None:
    items = 300
    run = rig.start("clips", ITEMS=items)
    run.until_whole()
    run.open("frames", 100)
    run.until(lambda: kept(run)["clips/0"] == 4 and run.noted("seen") == 96, "a window is open")
    run.kill(run.workers(victim)[0])
    run.open("frames")
    account = run.end()
    assert set(run.tape("seen")) == set(range(items))
    assert account["totals"]["dead"] == 0
