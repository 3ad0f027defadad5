"""Nonsense at every socket is refused, counted and told, and harms nobody."""

from __future__ import annotations

import pytest

from tests.faults.rig import Rig
from tests.faults.vandal import Vandal

pytestmark = pytest.mark.fault


def test_garbage_at_every_socket_is_refused_and_counted_and_the_work_goes_on(
    rig: Rig, long_form: bool
) -> None:
    items, amount = (1_000_000, 20_000_000) if long_form else (50_000, 1_000_000)
    run = rig.start("doubling", ITEMS=items)
    family = run.until_whole()
    with Vandal(run.contact.path) as vandal:
        run.open("count", items // 2)
        run.until(lambda: vandal.bytes > amount, f"{amount:,} bytes of garbage are sent", within=300)
        run.until(
            lambda: run.noted("record") >= items // 2, "half of the items arrive among them", within=300
        )
        senders = [
            (each["worker"], each["refused"]) for one in run.ps()["stages"][:-1] for each in one["replicas"]
        ]
        assert all(refused > 100 for _, refused in senders), senders
        run.open("count")
        run.until(lambda: run.noted("record") == items, "all items arrive among them", within=300)
    assert {worker.pid for worker in family} >= {worker.pid for worker in run.workers()}, "nobody has died"
    account = run.end(within=300)
    assert len(run.tape("record")) == items == account["totals"]["through"]
    assert set(run.tape("record")) == set(range(items))
    assert run.lines("refused a message: "), "and people are told"
