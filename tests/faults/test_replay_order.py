"""What is played again comes in order to who takes it in order, whoever dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.rig import PENSTOCK, Rig, Run
from tests.faults.test_order import expected

pytestmark = pytest.mark.fault


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("into", "victims"),
    [
        ("sift", ["count", "sift", "spread"]),
        ("spread", ["Record"]),
        pytest.param("sift", [], marks=pytest.mark.long),
        pytest.param("spread", [], marks=pytest.mark.long),
        pytest.param("Record", [], marks=pytest.mark.long),
    ],
)
def test_a_replay_keeps_the_order_whoever_is_killed(
    rig: Rig, into: str, victims: list[str], long_form: bool
) -> None:
    items = 100_000 if long_form else 6_000
    kept = record(rig, items)
    again = replay(rig, kept, into)
    for number, victim in enumerate(victims):
        again.until_noted("record", items // 10 * (2 * number + 1))
        for worker in again.workers(victim):
            again.kill(worker)
    again.end(within=300)
    tape = again.tape("record")
    assert len(again.lines("killed (SIGKILL)")) >= len(victims)
    if "Record" in victims:
        assert list(dict.fromkeys(tape)) == expected(items), "all, in order, some twice"
    else:
        assert tape == expected(items)
    assert victims or not again.lines("will not come any more")


def record(rig: Rig, items: int) -> Path:
    """Where a run is kept that has ended."""
    kept = rig.desk / "rec.pst"
    run = rig.start("orderly", ITEMS=items, command=[*PENSTOCK, "run", "--record", str(kept)])
    run.open("count")
    run.end(within=300)
    assert run.tape("record") == expected(items)
    for path in rig.desk.glob("*.tape"):
        path.unlink()
    return kept


def replay(rig: Rig, kept: Path, into: str) -> Run:
    """It is played."""
    return rig.start("orderly", ITEMS=0, command=[*PENSTOCK, "replay", str(kept), "--into", into])
