"""A disk without room: dead letters stay in flight until they can be written, and nothing is half written."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from tests.faults.rig import Rig, Run, fill

pytestmark = [pytest.mark.fault, pytest.mark.usefixtures("namespace")]

ITEMS = 3_000
POISON = 700


def with_a_full_disk(rig: Rig) -> tuple[Run, Path]:
    """A run that cannot write the dead letter of its poison; the file that takes the room for it."""
    state = rig.desk / "state"
    run = rig.start("poison", ITEMS=ITEMS, FAILURES=0, HURTS=f"{POISON}=reject", mount={state: "1m"})
    run.until_whole()
    run.state = run.hold(state)
    ballast = fill(run.state)
    run.open("count")
    run.until(lambda: set(run.tape("record")) == set(range(ITEMS)) - {POISON}, "its neighbours arrive")
    line = run.until_said(f"the dead letter of count/0:{POISON} cannot be written")
    assert "in flight" in line and os.strerror(errno.ENOSPC) in line
    return run, ballast


def test_a_dead_letter_without_room_stays_in_flight_until_there_is_some(rig: Rig) -> None:
    run, ballast = with_a_full_disk(rig)
    run.until(lambda: run.totals()["in_flight"] == 1, "all others are settled")
    assert run.totals()["dead"] == 0
    dead = run.state / "dead"
    assert not list(dead.iterdir()), "nothing is half written"
    ballast.unlink()
    account = run.end()  # once it is written: it was all that the source waited for
    assert run.lines(f"count/0:{POISON} failed once, the last: not wanted here")
    assert account["totals"] == {
        "entered": ITEMS, "through": ITEMS - 1, "in_flight": 0, "unfinished": 0, "lost": 0, "dead": 1,
        "dropped_full": 0, "dropped_too_old": 0,
    }  # fmt: skip


def test_a_run_whose_disk_stays_full_can_be_stopped_and_says_what_is_unfinished(rig: Rig) -> None:
    run, _ = with_a_full_disk(rig)
    run.signal(signal.SIGINT)
    run.until_said("draining")
    run.signal(signal.SIGINT)
    assert run.process.wait(15) == 130, run.said
    assert f"{ITEMS - 1:,} out, 0 lost, 0 dead, 1 unfinished" in run.said
    assert "Traceback" not in run.said
    assert not list((run.state / "dead").iterdir()), "nothing is half written"
    assert not list(run.state.glob("*.part")), "nor is the account"
