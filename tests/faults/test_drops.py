"""A consumer that is too slow, and what can be done about it; whoever dies, the account adds up."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault

ITEMS = 200_000
MAX_AGE = 0.05
DROPPING = ["drop_oldest", "drop_newest"]


def dropped(account: dict[str, Any]) -> int:
    """Items that were dropped, on all links."""
    return sum(link["dropped_full"] + link["dropped_too_old"] for link in account["links"])


def begin(rig: Rig, policy: str, **more: Any) -> Run:
    """A run whose sink has taken something, and does not go on."""
    run = rig.start("overflow", ITEMS=ITEMS, POLICY=policy, **more)
    run.until_whole()  # or all might be dropped before there is anybody to take it
    run.open("count")
    run.until(lambda: run.ps()["links"][1]["in_flight"] > 0, "the sink has items")
    return run


def kill_thrice(run: Run, stage: str) -> None:
    for _ in range(3):
        run.kill(run.worker(stage))
    run.worker(stage)


@pytest.mark.parametrize("policy", ["block", *DROPPING])
def test_what_is_not_dropped_arrives_though_its_receiver_is_killed(rig: Rig, policy: str) -> None:
    run = begin(rig, policy)
    if policy in DROPPING:
        run.until(lambda: dropped(run.ps()) > ITEMS // 2, "most of it is dropped")
        run.until_said("is slower than what feeds it")
    kill_thrice(run, "Record")
    run.open("record")
    account = run.end()
    arrived = set(run.tape("record"))
    assert len(arrived) == account["totals"]["through"] == ITEMS - dropped(account)
    assert (dropped(account) > 0) == (policy in DROPPING)
    assert account["totals"]["entered"] == ITEMS
    first_or_last = {"block": {0, ITEMS - 1}, "drop_oldest": {ITEMS - 1}, "drop_newest": {0}}[policy]
    assert first_or_last <= arrived


@pytest.mark.parametrize("policy", ["drop_oldest", pytest.param("drop_newest", marks=pytest.mark.long)])
def test_the_account_adds_up_though_one_that_dropped_is_killed(rig: Rig, policy: str) -> None:
    run = begin(rig, policy)
    kill_thrice(run, "work")
    run.open("record")
    account = run.end()
    first, _ = account["links"]
    assert first["settled"] + first["dropped_full"] == ITEMS
    assert f"{account['totals']['dropped_full']:,} dropped (full)" in run.lines(" in, ")[-1]
    arrived = set(run.tape("record"))
    assert account["totals"]["through"] <= len(arrived), "it may say less than came through, never more"


@pytest.mark.parametrize(
    ("killed", "policy"),
    [
        (False, "block"),
        (False, "drop_oldest"),
        (True, "drop_newest"),
        pytest.param(False, "drop_newest", marks=pytest.mark.long),
        pytest.param(True, "block", marks=pytest.mark.long),
        pytest.param(True, "drop_oldest", marks=pytest.mark.long),
    ],
)
def test_what_is_too_old_is_dropped_wherever_it_is_and_counted_once(
    rig: Rig, killed: bool, policy: str
) -> None:
    run = begin(rig, policy, MAX_AGE=f"{MAX_AGE * 1000:.0f}ms")
    run.until(lambda: run.ps()["links"][1]["held"] > 1, "the sink has an item that it has not begun")
    held_since = time.monotonic()
    run.until(lambda: time.monotonic() > held_since + 2 * MAX_AGE, "that is too old now")
    if killed:
        run.worker("Record").kill()  # then all that is left may be too old, and that is the end
    run.open("record")
    account = run.end()
    assert account["links"][1]["dropped_too_old"] > 0
    assert len(set(run.tape("record"))) == account["totals"]["through"] == ITEMS - dropped(account)
    assert "too old)" in run.lines(" in, ")[-1]
