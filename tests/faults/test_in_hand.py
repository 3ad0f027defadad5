"""With many items in hand at once, the one that cannot be done is found, and the others pass."""

from __future__ import annotations

import signal

import pytest

from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault

ITEMS = 400
BAD = 70
LANES = 16
KINDS = ("async", "threads")


def assert_all_but(run: Run, *missing: int) -> None:
    """Every item has come out but these, which are dead letters."""
    account = run.end()
    assert set(run.tape("record")) == {2 * number for number in range(ITEMS)} - {2 * bad for bad in missing}
    assert [letter.value() for letter in run.letters()] == list(missing)
    assert account["totals"]["dead"] == len(missing)


@pytest.mark.parametrize(
    ("kind", "how", "cause"),
    [
        ("async", "raises", "ValueError: 70 is more than I can bear"),
        pytest.param("async", "kills", "killed (SIGKILL)", marks=pytest.mark.long),
        ("async", "waits", "timed out after 1 s"),
        pytest.param("async", "clings", "timed out after 1 s", marks=pytest.mark.long),
        ("async", "hangs", "timed out after 1 s"),
        pytest.param("threads", "raises", "ValueError: 70 is more than I can bear", marks=pytest.mark.long),
        ("threads", "kills", "killed (SIGKILL)"),
        ("threads", "hangs", "timed out after 1 s"),
    ],
)
def test_the_bad_one_among_many_in_hand_is_found_and_the_others_pass(
    rig: Rig, kind: str, how: str, cause: str
) -> None:
    run = rig.start("inhand", ITEMS=ITEMS, HOW=how, BAD=BAD, KIND=kind)
    run.open("work")
    run.open("count")
    assert_all_but(run, BAD)
    (letter,) = run.letters()
    assert cause in letter.cause
    assert letter.failures == 2
    deaths = len(run.lines("died: "))
    unknown = how == "kills" or (kind, how) == ("async", "hangs")
    assert len(run.tape("tries")) == 2 + unknown, "once among others, where nobody could know who it was"
    assert deaths == (0 if how in {"raises", "waits"} else 2 + unknown)


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_is_killed_with_many_in_hand_loses_none_of_them_and_blames_none(
    rig: Rig, kind: str
) -> None:
    run = rig.start("inhand", ITEMS=ITEMS, KIND=kind)
    run.open("count")
    run.until(lambda: run.noted("begun") >= LANES, "it has all hands full")
    assert run.noted("begun") == LANES
    run.kill(run.worker("work"))
    run.open("work")
    assert_all_but(run)
    assert run.lines("died: killed (SIGKILL)")


@pytest.mark.parametrize("kind", KINDS)
def test_a_drain_finishes_what_is_in_hand(rig: Rig, kind: str) -> None:
    run = rig.start("inhand", ITEMS=ITEMS, KIND=kind)
    run.open("count", 5)
    run.until(lambda: run.noted("begun") == 5, "five are in hand")
    run.signal(signal.SIGINT)
    run.until_said("draining")
    run.open("work")
    account = run.end()
    assert sorted(run.tape("record")) == [0, 2, 4, 6, 8]
    assert account["totals"]["entered"] == account["totals"]["through"] == 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_with_all_hands_full_is_busy_and_no_more_than_that(rig: Rig, kind: str) -> None:
    run = rig.start("inhand", ITEMS=ITEMS, KIND=kind)
    run.open("count", 4)
    run.until(lambda: run.noted("begun") == 4, "four of sixteen are in hand")

    def busy() -> float:
        (stage,) = [each for each in run.ps()["stages"] if each["name"] == "work"]
        return float(stage["replicas"][0]["busy"])

    run.until(lambda: 0.2 < busy() < 0.3, "a quarter of it is busy")
    run.open("count")
    run.until(lambda: busy() > 0.99, "all of it is busy")
    assert busy() <= 1.0
    run.open("work")
    assert_all_but(run)
