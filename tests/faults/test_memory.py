"""Shared memory that is small, kept or full: values stay right, and people are told once what to do."""

from __future__ import annotations

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.fault

MB = 10**6


def warnings(said: str) -> list[str]:
    """The lines that tell of something to be looked at."""
    return [line.strip() for line in said.splitlines() if "socket" in line or "shm" in line]


def test_arrays_that_a_sink_keeps_stay_right_while_the_pool_runs_low(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_SHM_BUDGET", "32MiB")
    items, keep = 80, 60
    run = rig.start("arrays", ITEMS=items, SIZE=MB, KEEP=keep)
    account = run.end()
    assert sorted(run.tape("came")) == list(range(items))
    assert sorted(run.tape("kept")) == list(range(keep))
    assert account["totals"]["through"] == items
    assert len(warnings(run.said)) == 1, run.said
    assert "Keep keeps arrays, 1" in warnings(run.said)[0], "who holds how much"


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("size", [MB, 19 * MB + 333])
def test_16_mb_of_shared_memory_are_told_of_once_and_enough(rig: Rig, size: int) -> None:
    items = 12
    run = rig.start("arrays", ITEMS=items, SIZE=size, mount={rig.base: "16m"})
    run.end()
    assert sorted(run.tape("came")) == list(range(items))
    assert len(warnings(run.said)) == 1, run.said
    assert "--shm-size" in warnings(run.said)[0]
