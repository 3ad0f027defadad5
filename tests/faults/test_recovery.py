"""What a dead worker held is with another in no time, whatever its sender is doing meanwhile."""

from __future__ import annotations

import os
import signal
import statistics
import time

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.fault


def test_items_of_a_killed_worker_are_elsewhere_at_once_though_their_source_blocks(
    rig: Rig, long_form: bool
) -> None:
    kills = 15 if long_form else 5
    run = rig.start("burst", ATTEMPTS=kills)
    took = []
    for kill in range(kills):
        run.until(lambda so_far=kill: run.noted("when") == so_far + 1, "somebody holds the item")  # type: ignore[misc]
        run.until_whole()
        killed = time.monotonic_ns()
        os.kill(run.last("who"), signal.SIGKILL)
        run.until(lambda so_far=kill: run.noted("when") == so_far + 2, "another has the item")  # type: ignore[misc]
        took.append((run.last("when") - killed) / 1e9)
    median = statistics.median(took)
    print(f"elsewhere after {median * 1000:.1f} ms (median of {kills}), at most {max(took) * 1000:.1f} ms")
    assert median <= 0.2

    run.until(lambda: set(run.tape("record")) == set(range(20)), "all of the burst arrives")
    run.type("wait", "--for", "idle", "--timeout", "60s")
    asked = time.monotonic()
    run.type("drain")
    account = run.end()
    assert time.monotonic() - asked < 30, "a source that blocks for a minute is interrupted"
    assert account["totals"]["through"] == 20
