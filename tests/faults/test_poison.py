"""Items that cannot be done are found, tried as often as was said, and kept; their neighbours pass."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from penstock.message.letter import Letter
from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault

ITEMS = 5_000
POISON, REJECTED, RETRIED = 700, 2100, 2800


def hurt(rig: Rig, failures: int, **how: int) -> tuple[Run, dict[str, Any], dict[int, Letter]]:
    """A run through which poison went, its account, and its dead letters by item."""
    hurts = " ".join(f"{number}={word}" for word, number in how.items())
    run = rig.start("poison", ITEMS=ITEMS, FAILURES=failures, HURTS=hurts)
    run.open("count")
    account = run.end()
    letters = {int(letter.id.removeprefix("count/0:")): letter for letter in run.letters()}
    assert set(run.tape("record")) == set(range(ITEMS)) - set(letters)
    assert account["totals"]["entered"] == ITEMS
    assert account["totals"]["dead"] == len(letters) == len(run.letters())
    for number, letter in letters.items():
        assert letter.value() == {"number": number}
        assert (letter.pipeline, letter.stage, letter.link) == ("poison", "Touch", "count→Touch")
    return run, account, letters


def pauses(times: list[int]) -> list[float]:
    """Seconds between neighbours of a tape of times."""
    return [(later - sooner) / 1e9 for sooner, later in pairwise(sorted(times))]


@pytest.mark.parametrize(
    ("how", "failures", "cause"), [("segfault", 3, "killed (SIGSEGV)"), ("exit", 1, "exit code 3")]
)
def test_an_item_that_kills_its_worker_is_found_among_its_neighbours(
    rig: Rig, how: str, failures: int, cause: str
) -> None:
    run, account, letters = hurt(rig, failures, **{how: POISON})
    assert set(letters) == {POISON}
    assert cause in letters[POISON].cause
    assert letters[POISON].failures == failures + 1
    assert letters[POISON].attempts >= failures + 1
    assert run.noted(f"touch-{POISON}") == failures + 1, "it was touched so often and no more"
    assert sum(cause in line and "died" in line for line in run.lines("Touch/")) == failures + 1
    assert account["links"][0]["again"] >= failures, "its neighbours came again, too"


def test_an_item_that_raises_is_tried_again_after_pauses_that_double(rig: Rig) -> None:
    run, _, letters = hurt(rig, 3, **{"raise": POISON})
    (letter,) = letters.values()
    assert letter.cause == "ValueError: more than I can bear"
    assert letter.traceback.rstrip().endswith(letter.cause)
    assert "in hurt" in letter.traceback and "penstock/runtime" not in letter.traceback
    assert letter.failures == 4 == run.noted(f"touch-{POISON}")
    first, second, third = pauses(run.tape(f"touch-{POISON}"))
    assert first >= 0.05 and second >= 0.1 and third >= 0.2
    assert not run.lines("died"), "an exception ends no worker"


def test_reject_is_final_at_once_and_retry_comes_back_after_the_time_it_asked_for(rig: Rig) -> None:
    run, _, letters = hurt(rig, 3, reject=REJECTED, retry=RETRIED)
    assert set(letters) == {REJECTED}
    assert (letters[REJECTED].cause, letters[REJECTED].failures) == ("not wanted here", 1)
    assert run.noted(f"touch-{REJECTED}") == 1
    (waited,) = pauses(run.tape(f"touch-{RETRIED}"))
    assert 0.3 <= waited < 5
