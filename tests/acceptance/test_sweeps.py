"""A study with real workers: who is losing is stopped, and who looks for the best may be killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.tasks.trial import STOPPED
from tests.jobs import desk, until

APP = """\
import json, os, sys, time
from penstock import JobContext, sweep, task


@task(max_failures=0)
def train(ctx: JobContext, lr: float) -> dict[str, float]:
    ctx.progress(0.5, loss=lr)
    with open("begun", "a") as file:
        file.write(f"{lr}\\n")
    while not os.path.exists("go"):
        time.sleep(0.01)
    return {"loss": lr / 2}


if __name__ == "__main__":
    study = sweep(train, {"lr": [1.0, 2.0, 3.0, 4.0, 99.0]}, metric="loss", name="rates")
    trials = study.results()
    print(json.dumps([[each.params["lr"], each.state, each.value] for each in trials]))
    print(study.best.params["lr"])
"""


@pytest.mark.fault
def test_who_is_losing_is_stopped_by_whoever_takes_the_study_up(tmp_path: Path) -> None:
    with desk(tmp_path, APP) as work:
        first = subprocess.Popen([sys.executable, "app.py"], cwd=tmp_path)
        until(lambda: len(work.store.jobs()) == 5, "the first has submitted all")
        first.kill()
        first.wait()
        work.work("--workers", "5")
        work.until_noted("begun", 5)
        second = subprocess.Popen([sys.executable, "app.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        (loser,) = [row for row in work.store.jobs() if row.unique.endswith("#4")]
        row = work.until(loser.id, "cancelled")
        assert (row.cause, row.failures, row.started_at is None) == (STOPPED, 0, False)
        (tmp_path / "go").touch()
        said, _ = second.communicate(timeout=60)
        trials, best = said.splitlines()
        assert json.loads(trials) == [
            [1.0, "done", 0.5], [2.0, "done", 1.0], [3.0, "done", 1.5], [4.0, "done", 2.0],
            [99.0, "stopped", 99.0],
        ]  # fmt: skip
        assert (best, len(work.store.jobs())) == ("1.0", 5)
        listed = subprocess.run(
            [sys.executable, "-m", "penstock", "tasks", "list", "--study", "rates", "--quiet"],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert len(listed.stdout.splitlines()) == 5
