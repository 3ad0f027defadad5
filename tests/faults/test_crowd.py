"""Far more workers than cores start, work and drain."""

from __future__ import annotations

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.fault


@pytest.mark.timeout(900)
def test_a_crowd_of_workers_starts_works_and_drains(rig: Rig, long_form: bool) -> None:
    stages = 100 if long_form else 6
    run = rig.start("crowd", STAGES=stages)
    run.until(run.is_whole, f"all {4 * stages + 2} workers are ready", within=300)
    run.open("count", 2_000)
    run.until(lambda: run.noted("record") == 2_000, "all that was made has arrived", within=300)
    run.open("count")
    run.until(lambda: run.noted("record") > 4_000, "more arrives", within=300)
    run.type("drain", "--timeout", "300s")
    account = run.end(within=300)
    tape = run.tape("record")
    assert sorted(tape) == list(range(len(tape))), "each once, and none is missing"
    assert account["totals"]["through"] == len(tape)
