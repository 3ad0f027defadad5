"""However a run is ended or resized under load: what its source has made is through, or said not to be."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import suppress
from typing import Any

import pytest

from penstock.errors import PipelineFailed
from penstock.runtime import client
from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault


def under_load(rig: Rig, *, items: int = 1_000, **variables: Any) -> Run:
    """A run in whose midst items are, behind so many that are through."""
    run = rig.start("endless", command=[sys.executable], **variables)
    run.until_whole()
    run.until(lambda: run.noted("record") >= items, "items arrive")
    return run


def assert_nothing_missing(run: Run, account: dict[str, Any]) -> None:
    """All that the source has made is on the tape, and all of it once."""
    totals = account["totals"]
    assert sorted(run.tape("record")) == list(range(totals["entered"]))
    assert totals["through"] == totals["entered"] > 1_000
    assert totals["dead"] == totals["unfinished"] == 0


def test_a_stage_is_scaled_up_and_down_under_load_without_loss(rig: Rig) -> None:
    run = under_load(rig, PACE=0.0002)
    for replicas in (5, 1):
        run.type("scale", f"work={replicas}", "--wait", "--timeout", "30s")
        assert len(run.workers("work")) == replicas
        so_far = run.noted("record")
        run.until_noted("record", so_far + 1_000)
    run.type("drain", "--timeout", "30s")
    assert_nothing_missing(run, run.end())
    assert not run.lines("died")


def test_a_stage_is_restarted_under_load_without_loss_and_without_a_second_delivery(rig: Rig) -> None:
    run = under_load(rig, REPLICAS=3)
    before = {worker.number for worker in run.workers()}
    for stage in ("work", "Record"):
        run.type("restart", stage, "--timeout", "30s")
    left = {worker.label for worker in run.workers() if worker.number in before}
    assert left == {"count/0"}
    run.type("drain", "--timeout", "30s")
    assert_nothing_missing(run, run.end())
    assert not run.lines("died")


def test_a_restart_comes_to_an_end_when_old_and_new_are_killed_in_its_midst(rig: Rig) -> None:
    run = under_load(rig, REPLICAS=2, PACE=0.0002)
    asked = client.call(run.contact, "restart", stage="work")["workers"]
    for _ in range(4):
        run.kill(run.until(lambda: run.workers("work"), "somebody works")[0])
    for worker in asked:
        with suppress(PipelineFailed):  # where it was the successor who died, the old one goes on
            client.call(run.contact, "renewal", number=worker["number"], timeout=30)
    run.until_whole()
    run.type("drain", "--timeout", "30s")
    account = run.end()
    assert set(run.tape("record")) == set(range(account["totals"]["entered"]))


@pytest.mark.parametrize("how", ["drain", "SIGINT", "SIGTERM"])
def test_a_drain_under_load_finishes_everything_that_was_made(rig: Rig, how: str) -> None:
    run = under_load(rig)
    if how == "drain":
        answer = run.type("drain", "--timeout", "30s")
        assert "0 lost" in answer
    else:
        run.signal(signal.Signals[how])
    assert_nothing_missing(run, run.end())
    assert run.lines("draining")


def test_a_second_interrupt_stops_after_the_items_in_hand_and_says_what_is_unfinished(rig: Rig) -> None:
    run = under_load(rig, items=3, PACE=0.5, REPLICAS=3)
    run.signal(signal.SIGINT)
    run.until_said("draining")
    run.signal(signal.SIGINT)
    account = run.end(code=130, within=15)
    totals = account["totals"]
    assert account["cut_short"] and totals["unfinished"] > 0
    assert totals["through"] + totals["unfinished"] == totals["entered"]
    assert f"{totals['unfinished']:,} unfinished" in run.said


def test_a_third_interrupt_kills_whatever_hangs(rig: Rig) -> None:
    run = rig.start("endless", PACE=3600)
    run.until_whole()
    run.until(lambda: run.totals()["entered"] > 0, "an item is in hand")
    run.signal(signal.SIGINT)
    run.until_said("draining")
    run.signal(signal.SIGTERM)
    run.until_said("stopping")
    asked = time.monotonic()
    run.signal(signal.SIGINT)
    account = run.end(code=130)
    assert time.monotonic() - asked < 8, "sooner than the grace of a stop"
    assert account["totals"]["unfinished"] == account["totals"]["entered"]
