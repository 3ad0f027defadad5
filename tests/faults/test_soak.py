"""A long time with all of it, and kills: memory, descriptors and threads stay what they were."""

from __future__ import annotations

import itertools
import os
import random
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault

MB = 1 << 20


class Weight(NamedTuple):
    """What one process has of the machine."""

    anonymous: int
    """Bytes of memory that are its own: what is shared is the arena's, which has a limit."""
    descriptors: int
    threads: int


def weigh(pid: int) -> Weight:
    """What it has now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return Weight(
        int(status["RssAnon"].split()[0]) * 1024,
        len(os.listdir(f"/proc/{pid}/fd")),
        int(status["Threads"]),
    )


def weigh_all(run: Run) -> dict[int, Weight]:
    """The supervisor and every worker."""
    return {pid: weigh(pid) for pid in [run.process.pid, *(worker.pid for worker in run.until_whole())]}


def live_through(run: Run, seconds: float, luck: random.Random) -> None:
    """Let it work for so long, and kill a replica of one stage now and then; the others live on."""
    run.until_whole()
    end = time.monotonic() + seconds
    for kills in itertools.count():
        next_kill = min(end, time.monotonic() + seconds / 5)
        entered = run.totals()["entered"]
        run.until(lambda at=next_kill: time.monotonic() >= at, "time passes", within=seconds + 30)  # type: ignore[misc]
        run.until(lambda at=entered: run.totals()["entered"] > at, f"items flow after {kills} kills")  # type: ignore[misc]
        if next_kill >= end:
            return
        run.kill(luck.choice(run.workers("prepare")))


@pytest.mark.timeout(1200)
def test_nothing_grows_in_a_long_run(rig: Rig, long_form: bool) -> None:
    seconds = 600.0 if long_form else 5.0
    luck = random.Random(3)
    run = rig.start("soak")
    run.open("ticks")
    live_through(run, max(3.0, seconds / 10), luck)  # until pools and caches are as large as they get
    before = weigh_all(run)
    live_through(run, seconds, luck)
    after = weigh_all(run)
    stayed = before.keys() & after.keys()
    assert run.process.pid in stayed
    for pid in stayed:
        grown = after[pid].anonymous - before[pid].anonymous
        told = f"{Path(f'/proc/{pid}/cmdline').read_bytes()!r}: {before[pid]} -> {after[pid]}"
        assert grown < 16 * MB, told
        assert abs(after[pid].descriptors - before[pid].descriptors) <= 4, told
        assert abs(after[pid].threads - before[pid].threads) <= 1, told
    run.type("drain")
    account = run.end(within=60)
    assert run.tape("broken") == []
    assert account["totals"]["dead"] == 0
    assert account["totals"]["through"] > 200 * seconds, "it had something to do"
