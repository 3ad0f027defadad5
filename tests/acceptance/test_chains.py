"""Chains through real workers: what waits is begun as soon as it can be, and survives who made it wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jobs import desk

APP = """\
import os, time
from penstock import JobContext, chain, group, task


@task
def load(number: int) -> list[int]:
    return list(range(number))


@task(group="other", backoff="50ms")
def half(ctx: JobContext, numbers: list[int], which: int) -> int:
    with open("begun", "a") as file:
        file.write(f"{os.getpid()}\\n")
    while ctx.attempt == 1 and which == 0 and not os.path.exists("gate"):
        time.sleep(0.005)
    return sum(numbers[which::2])


@task
def add(parts: list[int], times: int = 1) -> int:
    return sum(parts) * times


if __name__ == "__main__":
    halves = group([half.partial(which=0), half.partial(which=1)])
    print(chain(load.call(100_000), halves, add.partial(times=2)).submit().id)
"""


@pytest.mark.fault
def test_a_chain_over_two_groups_ends_though_a_worker_is_killed_in_the_middle(tmp_path: Path) -> None:
    with desk(tmp_path, APP) as work:
        submitted = subprocess.run(
            [sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        first, second = work.work("--group", "default"), work.work("--group", "other")
        (pid, *_) = work.until_noted("begun")
        os.kill(int(pid), signal.SIGKILL)
        assert work.result(submitted.stdout.strip()) == sum(range(100_000)) * 2
        rows = {row.task: row for row in work.store.jobs()}
        waited = (rows["add"].started_at or 0) - (rows["half"].finished_at or 0)
        assert waited < 4000, "somebody must have rung: nobody looks round more often than every five seconds"
        assert rows["add"].by == "" and rows["add"].after == []
        for each in (first, second):
            each.signal()
            each.end()
