"""Chains, groups and sweeps, handed in by a program of the user: the same over a file and over a broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tests.brokered import BrokerDesk
from tests.jobs import PATIENCE, Desk

APP = """\
import time
from penstock import JobContext, chain, group, task


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task(max_failures=0)
def fails(number: int) -> int:
    raise ValueError(number)


@task
def train(ctx: JobContext, rate: float) -> dict[str, float]:
    for step in range(1, 10_000 if rate > 1 else 20):
        ctx.progress(min(step, 19), 20, loss=rate)
        time.sleep(0.05)
    return {"loss": rate}
"""


def said_by(jobs: Desk, script: str) -> Any:
    """What a program beside the app prints, in JSON."""
    variables = {"PENSTOCK_BROKER": jobs.broker} if isinstance(jobs, BrokerDesk) else {}
    ran = subprocess.run(
        [sys.executable, "-c", f"import json\nfrom app import *\nfrom penstock import sweep\n{script}"],
        cwd=jobs.directory,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_group_gives_its_results_in_order_and_says_which_is_dead(jobs: Desk) -> None:
    jobs.work("--workers", "2")
    script = """
good = group(add.call(number, 1) for number in range(30)).submit()
bad = group([add.call(1, 1), fails.call(7)]).submit()
over = sorted(each.state for each in bad.as_completed("60s"))
print(json.dumps([good.results("60s"), over, [each.state for each in bad], good.counts]))
"""
    assert said_by(jobs, script) == [
        list(range(1, 31)), ["dead", "done"], ["done", "dead"], {"done": 30},
    ]  # fmt: skip


def test_a_chain_hands_results_on_and_ends_where_a_link_is_dead(jobs: Desk) -> None:
    jobs.work("--workers", "2")
    script = """
line = chain(add.call(1, 2), group([add.partial(10), add.partial(20)]), total).submit()
broken = chain(add.call(1, 2), fails, total).submit()
over = [each for each in broken.jobs.as_completed("60s")]
print(json.dumps([line.result("60s"), len(over), [each.state for each in broken.jobs]]))
"""
    assert said_by(jobs, script) == [36, 3, ["done", "dead", "cancelled"]]


def test_a_sweep_stops_what_is_losing_and_is_found_again_by_its_name(jobs: Desk) -> None:
    jobs.work("--workers", "5")
    search = """
study = sweep(train, {"rate": [0.1, 0.2, 0.3, 0.4, 9.0]}, metric="loss", name="rates")
states = [each.state for each in study.results("60s")]
print(json.dumps([states, study.best.params["rate"]]))
"""
    assert said_by(jobs, search) == [["done"] * 4 + ["stopped"], 0.1]
    assert said_by(jobs, search) == [["done"] * 4 + ["stopped"], 0.1]
    asked = search.replace("[0.1, 0.2, 0.3, 0.4, 9.0]", "[0.1, 0.2]").replace(
        'name="rates"', 'name="asked", n=2, sampler="tpe", seed=1'
    )
    assert said_by(jobs, asked)[0] == ["done", "done"]
    assert sum(row.task == "train" for row in jobs.store.jobs()) == 7


def test_a_chain_is_handed_in_before_anybody_has_ever_worked(jobs: Desk) -> None:
    id = said_by(jobs, "print(json.dumps(chain(add.call(1, 2), add.partial(3)).submit().id))")
    jobs.work()
    assert jobs.result(id) == 6
