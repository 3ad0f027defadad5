"""Shared memory that is small, kept or full: values stay right, and people are told once what to do."""

from __future__ import annotations

import re
import zlib

import pytest

from tests.faults.rig import Rig, fill

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
    run.open("frames")
    account = run.end()
    assert sorted(run.tape("came")) == list(range(items))
    assert sorted(run.tape("kept")) == list(range(keep))
    assert account["totals"]["through"] == items
    assert len(warnings(run.said)) == 1, run.said
    told = re.search(
        r"Keep keeps arrays, (\d+) of the 16 MiB of shared memory of turn/0;", warnings(run.said)[0]
    )
    assert told, "who holds how much of whose"
    assert 0 < int(told[1]) <= 16, "at the first array without room some are still on their way"


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("size", [pytest.param(MB, marks=pytest.mark.long), 19 * MB + 333])
def test_16_mb_of_shared_memory_are_told_of_once_and_enough(rig: Rig, size: int) -> None:
    items = 12
    run = rig.start("arrays", ITEMS=items, SIZE=size, mount={rig.base: "16m"})
    run.open("frames")
    run.end()
    assert sorted(run.tape("came")) == list(range(items))
    assert len(warnings(run.said)) == 1, run.said
    assert "--shm-size" in warnings(run.said)[0]


@pytest.mark.usefixtures("namespace")
def test_shared_memory_that_others_fill_up_meanwhile_harms_nobody(rig: Rig) -> None:
    items = 60
    run = rig.start("arrays", ITEMS=items, SIZE=MB, mount={rig.base: "64m"})
    run.open("frames", 3)
    run.until(lambda: run.noted("came") == 3, "some arrays have come")
    fill(run.hold(rig.base))
    run.open("frames")
    run.end()
    assert sorted(run.tape("came")) == list(range(items))
    assert not run.lines("died"), "and nobody met a SIGBUS"


@pytest.mark.parametrize("budget", ["64MiB", "1MiB"], ids=["in shared memory", "by socket"])
def test_a_dead_letter_holds_its_arrays_whole(rig: Rig, monkeypatch: pytest.MonkeyPatch, budget: str) -> None:
    monkeypatch.setenv("PENSTOCK_SHM_BUDGET", budget)
    items, poison = 20, 7
    run = rig.start("arrays", ITEMS=items, SIZE=MB, POISON=poison)
    run.open("frames")
    run.end()
    assert set(run.tape("came")) == set(range(items)) - {poison}
    (letter,) = run.letters()
    frame = letter.value()
    assert frame["number"] == poison
    assert zlib.crc32(frame["pixels"].tobytes()) == frame["check"]
