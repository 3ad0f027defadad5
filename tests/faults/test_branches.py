"""Copies, routes, ports and merges keep their promises while any of their workers is killed."""

from __future__ import annotations

import random

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.fault


@pytest.mark.timeout(600)
def test_every_branch_gets_all_that_is_its_own_though_workers_are_killed(rig: Rig, long_form: bool) -> None:
    items, kills = (200_000, 24) if long_form else (20_000, 3)
    luck = random.Random(3)
    run = rig.start("branches", ITEMS=items)
    part = items // (kills + 1)
    for kill in range(kills):
        victim = luck.choice(run.until_whole())
        beyond = run.noted("merged") + luck.randrange(part // 2)
        run.open("count", (kill + 1) * part)
        run.until_noted("merged", beyond)
        run.kill(victim)
    run.open("count")
    account = run.end(within=300)
    numbers = range(items)
    strange = set(numbers[::100])
    rest = set(numbers) - strange
    assert set(run.tape("audit")) == set(numbers)
    assert set(run.tape("review")) == strange
    assert set(run.tape("merged")) == rest | {number + items for number in rest if number % 2}
    assert account["totals"]["dead"] == 0
    assert account["totals"]["through"] == account["totals"]["entered"] >= items
    assert len(run.lines("killed (SIGKILL)")) == kills
