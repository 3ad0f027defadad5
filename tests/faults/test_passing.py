"""Whoever passes arrays on may die: nobody reads memory that is used again, and all of it comes back."""

from __future__ import annotations

import random

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.fault

SIZE = 1 << 20


@pytest.mark.timeout(900)
def test_arrays_stay_right_though_those_who_passed_them_on_are_killed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, long_form: bool
) -> None:
    monkeypatch.setenv("PENSTOCK_SHM_BUDGET", "96MiB")
    items, kills = (40_000, 60) if long_form else (2_000, 4)
    luck = random.Random(11)
    run = rig.start("passing", ITEMS=items, SIZE=SIZE, KEEP=4)
    for kill in range(kills):
        run.until_whole()
        beyond = run.noted("came")
        run.open("frames", (kill + 1) * items // kills)
        run.until_noted("came", beyond)
        run.kill(luck.choice(run.workers("Forward") + run.workers("again")))
    run.open("frames")
    account = run.end(within=600)
    assert run.tape("wrong") == []
    assert set(run.tape("came")) == set(range(items))
    assert account["totals"]["dead"] == 0
    assert len(run.lines("killed (SIGKILL)")) == kills
