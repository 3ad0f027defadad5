"""Random workers of all kinds are killed while items stream: every item arrives, and the account adds up."""

from __future__ import annotations

import random

import pytest

from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault


def kill_somebody(run: Run, luck: random.Random, *, begin: int, end: int) -> str:
    """Have the items from ``begin`` to ``end`` made, and kill somebody in the midst of them; whom."""
    victim = luck.choice(run.until_whole())
    beyond = run.noted("record") + luck.randrange((end - begin) // 2)
    run.open("count", end)
    run.until_noted("record", beyond)
    run.kill(victim)
    return victim.label


@pytest.mark.timeout(900)
def test_every_item_arrives_though_random_workers_of_all_kinds_are_killed(rig: Rig, long_form: bool) -> None:
    items, kills = (1_000_000, 20) if long_form else (50_000, 5)
    luck = random.Random(42)
    run = rig.start("doubling", ITEMS=items)
    part = items // (kills + 1)
    killed = [kill_somebody(run, luck, begin=kill * part, end=(kill + 1) * part) for kill in range(kills)]
    run.open("count")
    account = run.end(within=600)
    assert set(run.tape("record")) == set(range(items))
    assert account["totals"]["dead"] == 0
    assert account["totals"]["through"] == account["totals"]["entered"] >= items
    assert len(run.lines("killed (SIGKILL)")) == kills, killed
    assert len({label.partition("/")[0] for label in killed}) == 3, "a source, a stage and the sink"
    assert sum(link["again"] + link["given_back"] for link in account["links"]) > 0, "kills that hit nothing"


def test_every_item_arrives_though_all_workers_are_killed_at_once(rig: Rig) -> None:
    items = 20_000
    run = rig.start("doubling", ITEMS=items)
    run.open("count", items // 2)
    family = run.until_whole()
    run.until_noted("record", items // 10)
    for worker in family:
        worker.kill()
    run.open("count")
    account = run.end()
    assert set(run.tape("record")) == set(range(items))
    assert account["totals"]["dead"] == 0
    assert len(run.lines("killed (SIGKILL)")) == len(family)
