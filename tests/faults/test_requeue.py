"""Dead letters that are put back end settled or as letters again, whatever is killed on the way."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from penstock.message import letter
from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault

ITEMS = 201
BAD = {number for number in range(ITEMS) if number % 10 in {0, 5}}
GATES = ("touch", "save")
HOPELESS = {number for number in range(ITEMS) if number % 50 in {0, 5}}


def ill(rig: Rig, **how: Any) -> Run:
    """A run with a dead letter for every bad item, and which still goes on: one more item is to come."""
    run = rig.start("healing", ITEMS=ITEMS + 1, **how)
    run.open("count", ITEMS)
    for gate in GATES:
        run.open(gate)
    run.until(lambda: len(run.letters()) == len(BAD), "the bad ones are dead letters")
    return run


def mend(run: Run) -> None:
    (run.desk / "mended").touch()


def waiting(run: Run) -> int:
    """Letters that were put back and are not over."""
    return len(letter.list_requeued(run.state / "dead"))


def values(run: Run) -> list[int]:
    """What the dead letters hold."""
    return sorted(each.value()["number"] for each in run.letters())


@pytest.mark.parametrize("how", [{}, {"REPLICAS": 3, "KEY": "number"}], ids=["to anybody", "by key"])
def test_what_is_put_back_is_done_at_once_and_the_totals_add_up(rig: Rig, how: dict[str, Any]) -> None:
    run = ill(rig, **how)
    mend(run)
    told = json.loads(run.type("dead", "requeue", "--yes", "--json"))
    assert len(told["letters"]) == len(BAD)
    assert all(each["now"] for each in told["letters"])
    run.until(lambda: not waiting(run), "all of them are over")
    run.open("count")
    account = run.end()
    assert sorted(run.tape("record")) == sorted(set(range(ITEMS + 1)) - HOPELESS), "each once"
    assert values(run) == sorted(HOPELESS)
    assert account["totals"]["entered"] == ITEMS + 1 + len(BAD)
    assert account["totals"]["dead"] == len(BAD) + len(HOPELESS)
    assert sum(link["requeued"] for link in account["links"]) == len(BAD)


@pytest.mark.timeout(600)
def test_a_kill_loses_none_of_what_was_put_back(rig: Rig, long_form: bool) -> None:
    run = ill(rig)
    hold(run)
    mend(run)
    run.type("dead", "requeue", "--yes")
    for kill, stage in zip(
        range(1, 43 if long_form else 4), itertools.cycle(["count", "Touch", "Save"]), strict=False
    ):
        before = work_done(run)
        for gate in GATES:
            run.open(gate, 5 * kill)
        run.until(lambda so_far=before: work_done(run) > so_far or not waiting(run), "some are done")  # type: ignore[misc]
        run.kill(run.worker(stage))
    for gate in ("count", *GATES):
        run.open(gate)
    run.end()
    assert waiting(run) == 0
    assert set(values(run)) == HOPELESS
    assert set(run.tape("record")) == set(range(ITEMS + 1)) - HOPELESS


def work_done(run: Run) -> int:
    """Calls of either stage. (One of them may have to wait until the other has done what it holds.)"""
    return run.noted("touched") + run.noted("record")


def hold(run: Run) -> None:
    """Have nothing done from now on."""
    for gate in GATES:
        run.open(gate, 0)
    run.kill(run.worker("Touch"))  # their successors read how far they may go
    run.kill(run.worker("Save"))
    run.until_whole()


def test_what_is_put_back_after_the_end_waits_for_the_next_run(rig: Rig) -> None:
    run = ill(rig)
    run.open("count")
    run.end()
    mend(run)
    requeue = ("dead", "requeue", "--cause", "not mended", "--state", str(run.state))
    listed = json.loads(run.type(*requeue, "--yes", "--json"))
    assert not any(each["now"] for each in listed["letters"])
    assert waiting(run) == len(BAD)

    again = rig.start("healing", ITEMS=1, FIRST=1000)
    again.open("count")
    account = again.end()
    assert waiting(again) == 0
    assert set(again.tape("record")) >= BAD - HOPELESS
    assert values(again) == sorted(HOPELESS | {1000})
    assert account["totals"]["entered"] == 1 + len(BAD)
    assert {each.id.partition("~")[0] for each in again.letters()} == {"count/0", "count/0:0"}


def test_exactly_those_that_are_meant_are_put_back(rig: Rig) -> None:
    run = ill(rig)
    (meant, *_) = run.letters()
    told = json.loads(run.type("dead", "requeue", "--id", meant.id, "--yes", "--json"))
    assert [each["id"] for each in told["letters"]] == [meant.id]
    run.until(lambda: len(run.letters()) == len(BAD) and not waiting(run), "it is a dead letter again")
    assert [each.when for each in run.letters() if each.id != meant.id] != []
    (again,) = [each for each in run.letters() if each.id == meant.id]
    assert again.when > meant.when
    run.open("count")
    run.end()
