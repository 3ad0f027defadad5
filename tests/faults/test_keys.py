"""Items of one key are worked on by one replica at a time and in order, whoever comes, goes or dies."""

from __future__ import annotations

import random

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.fault

ACCOUNTS = 23


@pytest.mark.timeout(600)
def test_keys_stay_together_and_in_order_through_scaling_and_kills(rig: Rig, long_form: bool) -> None:
    items, rounds = (200_000, 24) if long_form else (20_000, 4)
    luck = random.Random(5)
    run = rig.start("keyed", ITEMS=items)
    part = items // (rounds + 1)
    for number in range(rounds):
        run.until_whole()
        beyond = run.noted("total") + luck.randrange(part // 2)
        run.open("count", (number + 1) * part)
        run.until_noted("total", beyond)
        if number % 2:
            run.kill(luck.choice(run.workers("Book")))
        else:
            run.type("scale", f"Book={luck.choice([1, 2, 4, 5])}", "--wait", "--timeout", "30s")
    run.open("count")
    account = run.end(within=300)
    assert run.tape("clash") == [], "no two replicas are at work on one account"
    for number in range(ACCOUNTS):
        noted = run.tape(f"account-{number}")
        assert list(dict.fromkeys(noted)) == list(range(number, items, ACCOUNTS)), "all, in order"
    assert account["totals"]["dead"] == 0
    assert run.lines("of the keys go to it from now on"), "that keys move is said"
    assert run.lines("has left: its keys")
