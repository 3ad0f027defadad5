"""Code that hangs is ended where a limit was set, and left alone where none was."""

from __future__ import annotations

import re
import time

import pytest

from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault

ITEMS = 3_000
SLOW = 1_000


@pytest.mark.parametrize("how", ["hang", "gil"])
def test_a_handler_that_takes_too_long_is_killed_and_its_item_kept_in_the_end(rig: Rig, how: str) -> None:
    run = rig.start("slow", ITEMS=ITEMS, SLOW=SLOW, HOW=how, TIMEOUT="400ms", SECONDS=30)
    run.open("record")
    account = run.end()
    assert set(run.tape("record")) == set(range(ITEMS)) - {SLOW}
    assert account["totals"]["dead"] == 1
    (letter,) = run.letters()
    assert letter.id == f"count/0:{SLOW}" and letter.value() == SLOW
    assert "timed out after 0.4 s" in letter.cause
    assert letter.failures == 2 == run.noted("begun")
    assert len(run.lines("died: timed out after 0.4 s")) == 2


def is_full(run: Run) -> bool:
    """Whether the stage has as many items in flight as its receiver lets it have, and waits."""
    link = run.ps()["links"][1]
    return bool(link["waiting"] and link["in_flight"])


def test_a_handler_is_not_blamed_for_the_time_that_its_receivers_take(rig: Rig) -> None:
    run = rig.start("slow", ITEMS=ITEMS, TIMEOUT="300ms")
    work = run.worker("Work")
    run.until(lambda: is_full(run), "everything before the gate is full")
    opened = time.monotonic() + 1.0  # three times as long as one item may take
    run.until(lambda: time.monotonic() > opened, "a second has passed")
    assert run.worker("Work").pid == work.pid, run.said
    run.open("record")
    account = run.end()
    assert account["totals"]["dead"] == 0
    assert not run.lines("died")


def test_a_handler_that_holds_the_gil_is_neither_declared_dead_nor_loses_anything(rig: Rig) -> None:
    run = rig.start("slow", ITEMS=ITEMS, SLOW=SLOW, HOW="gil", SECONDS=3)
    run.open("record")
    account = run.end()
    assert sorted(run.tape("record")) == list(range(ITEMS)), "each once"
    assert account["totals"] == {
        "entered": ITEMS, "through": ITEMS, "in_flight": 0, "unfinished": 0, "lost": 0, "dead": 0,
        "dropped_full": 0, "dropped_too_old": 0,
    }  # fmt: skip
    assert not run.lines("died")


def test_a_start_that_never_gets_ready_ends_the_run_with_the_last_lines_of_its_log(rig: Rig) -> None:
    run = rig.start("stuck")
    began = time.monotonic()
    run.end(code=1)
    assert time.monotonic() - began < 50, "not after the minute that a start may take otherwise"
    assert re.search(r"stuck\.py:\d+: Stuck/0 did not start in 2 s", run.said)
    assert run.lines("waiting for a licence that nobody will give"), "the last line it has printed"
