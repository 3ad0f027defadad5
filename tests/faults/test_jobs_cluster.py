"""Jobs over a cluster whose nodes are killed: the others have what it had, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.brokered import BrokerDesk, broker_desk
from tests.jobs import until
from tests.rabbit import Node, cluster

pytestmark = pytest.mark.fault

APP = """\
import time
from penstock import task


@task
def steady(number: int) -> int:
    with open("ran", "a") as file:
        file.write(f"{number}\\n")
    time.sleep(0.01)
    return number
"""
QUEUE = "ps.q.default"


def _url(nodes: Sequence[Node]) -> str:
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    return f"amqp://{hosts}/%2F?management=http://127.0.0.1:{nodes[0].management_port}"


def _leader(nodes: Sequence[Node]) -> Node:
    """Who leads the queue of the jobs, once all nodes have what is in it."""

    def look() -> Node | None:
        try:
            found: dict[str, Any] = nodes[0].ask("GET", f"queues/%2F/{QUEUE}")
        except OSError:
            return None  # it is on its way
        whole = len(found.get("online", ())) == len(nodes)
        return next((node for node in nodes if whole and node.name == found["leader"]), None)

    return until(look, f"{QUEUE} has a leader and is on all nodes", within=120)


def _until_done(jobs: BrokerDesk, count: int) -> None:
    until(lambda: jobs.done() >= count, f"{count} are done: {jobs.everybody}", within=300)


@pytest.mark.timeout(900)
def test_the_node_that_leads_the_queue_is_killed_while_jobs_run_and_each_has_its_result(
    tmp_path: Path, long_form: bool
) -> None:
    if not long_form:
        pytest.skip("three nodes take half a minute to start: under --long")
    count, kills = 5000, 6
    with cluster() as nodes, broker_desk(tmp_path, APP, _url(nodes)) as jobs:
        ids = jobs.submit_many("steady", count, max_failures=1000, backoff=0.05, longest=0.2)
        for number in range(2):  # each goes to another node than the hub
            turned = [*nodes[number + 1 :], *nodes[: number + 1]]
            jobs.work("--workers", "2", PENSTOCK_BROKER=_url(turned))
        for number in range(kills):
            _until_done(jobs, (number + 1) * count // (kills + 2))
            leader = _leader(nodes)
            done, killed = jobs.done(), time.monotonic()
            leader.kill()
            _until_done(jobs, done + 10)
            print(f"{leader.name} killed at {done} jobs; 10 more after {time.monotonic() - killed:.1f} s")
            leader.start()
        _until_done(jobs, count)
        ran = jobs.until_noted("ran", count)
        print(f"{count} jobs, {len(ran) - count} begun again")
        assert set(map(int, ran)) == set(range(count))
        assert [jobs.result(id) for id in ids] == list(range(count))
        assert all([each.outcome for each in jobs.attempts(id)].count("done") == 1 for id in ids)
