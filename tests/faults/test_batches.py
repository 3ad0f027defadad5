"""Where many items are in one call, the one that cannot be done is found, and the others pass."""

from __future__ import annotations

import pytest

from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault

ITEMS = 2_000
BAD = 700
OPEN = ("count", "double")


def assert_all_but(run: Run, *missing: int) -> None:
    """Every item has come out but these, which are dead letters."""
    account = run.end()
    assert set(run.tape("record")) == {2 * number for number in range(ITEMS)} - {2 * bad for bad in missing}
    assert [letter.value() for letter in run.letters()] == list(missing)
    assert account["totals"]["dead"] == len(missing)


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("raises", "ValueError: 700 is more than I can bear"),
        ("kills", "killed (SIGKILL)"),
        ("hangs", "timed out after 1 s"),
    ],
)
def test_the_bad_one_of_a_batch_is_found_and_only_its_own_failures_count(
    rig: Rig, how: str, cause: str
) -> None:
    run = rig.start("batches", ITEMS=ITEMS, HOW=how, BAD=BAD)
    for gate in OPEN:
        run.open(gate)
    assert_all_but(run, BAD)
    (letter,) = run.letters()
    assert cause in letter.cause
    assert letter.failures == 2
    touched = run.tape("touched")
    assert touched[0] > 1, "it came in a batch first"
    assert touched[-2:] == [1, 1], "and then alone, as often as it may fail"
    assert max(run.tape("lengths")) == 32


def test_a_worker_that_is_killed_with_a_batch_in_hand_loses_none_of_it(rig: Rig) -> None:
    run = rig.start("batches", ITEMS=ITEMS)
    run.open("count")
    run.until(lambda: run.noted("lengths") >= 2, "both have a batch in hand")
    for worker in run.workers("Double"):
        run.kill(worker)
    run.open("double")
    assert_all_but(run)
    assert len(run.lines("died: killed (SIGKILL)")) == 2


def test_a_drain_delivers_the_part_of_a_batch_that_there_is(rig: Rig) -> None:
    run = rig.start("batches", ITEMS=ITEMS)
    run.open("count", 5)
    run.open("double")
    run.until(lambda: run.noted("record") == 5, "five items are through, though a batch has 32")
    run.type("drain")
    account = run.end()
    assert sorted(run.tape("record")) == [0, 2, 4, 6, 8]
    assert account["totals"]["entered"] == account["totals"]["through"] == 5
