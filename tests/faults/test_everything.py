"""All shapes in one graph, and anything happens to it: each promise holds beside all others."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault

ACCOUNTS = 7
DROPPED = 11


def kill(run: Run, luck: random.Random) -> None:
    """Anybody."""
    run.kill(luck.choice(run.workers()))


def kill_two(run: Run, luck: random.Random) -> None:
    """Of different stages, nearly at once."""
    for worker in luck.sample(run.workers(), 2):
        worker.kill()


def scale(run: Run, luck: random.Random) -> None:
    """Up or down."""
    stage = luck.choice(["work", "echo", "Book"])
    run.type("scale", f"{stage}={luck.randint(1, 3)}", "--wait", "--timeout", "60s")


def restart(run: Run, luck: random.Random) -> None:
    """One stage, without a loss."""
    run.type("restart", luck.choice(["work", "InOrder", "Book", "fetch", "windows", "pairs"]))


def pause(run: Run, luck: random.Random) -> None:
    """For a moment."""
    stage = luck.choice(["work", "InOrder", "fetch"])
    run.type("pause", stage)
    run.type("resume", stage)


Act = Callable[[Run, random.Random], None]
HARM: list[Act] = [kill, kill, kill_two, pause]
CARE: list[Act] = [scale, restart]
"""Who goes in peace stays until all that it has made is settled: half a pair is when its time is over."""


def assert_all_came(run: Run, items: int, unmatched: int) -> None:
    """Everywhere, and in order where that was asked for. What waited too long for its partner, as that was
    held up by what has happened, is counted."""
    worked_on = {number for number in range(items) if number % DROPPED}
    for name in ("fetched", "windows", "in-order"):
        assert set(run.tape(name)) == worked_on, name
    pairs = set(run.tape("pairs"))
    assert pairs <= worked_on
    assert len(worked_on - pairs) <= unmatched
    assert list(dict.fromkeys(run.tape("in-order"))) == sorted(worked_on)
    for number in range(ACCOUNTS):
        noted = run.tape(f"account-{number}")
        assert list(dict.fromkeys(noted)) == list(range(number, items, ACCOUNTS))


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("within", "things"),
    [
        pytest.param("3s", HARM + CARE, id="3s"),
        pytest.param("10m", HARM, id="10m", marks=pytest.mark.long),
    ],
)
def test_whatever_happens_every_shape_keeps_its_promise(
    rig: Rig, within: str, things: list[Act], long_form: bool
) -> None:
    """In pairs of ten minutes what has lost its partner to a death waits, and nothing may wait for it."""
    items, acts = (300_000, 40) if long_form else (12_000, 6)
    luck = random.Random(11)
    run = rig.start("everything", ITEMS=items, WITHIN=within)
    part = items // (acts + 1)
    for number in range(acts):
        run.until_whole()
        beyond = run.noted("in-order") + luck.randrange(part // 2)
        run.open("count", (number + 1) * part)
        run.until_noted("in-order", beyond)
        luck.choice(things)(run, luck)
    run.open("count")
    account = run.end(within=600)
    assert_all_came(run, items, sum(link["unmatched"] for link in account["links"]))
    assert account["totals"]["dead"] == 0
