"""Jobs over a real broker: a hub keeps the store, and supervisors share nothing with it but the broker."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from penstock.rabbitmq import topology
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import parse
from penstock.tasks.transit import UNREADABLE
from tests.brokered import BrokerDesk, broker_desk
from tests.jobs import until
from tests.rabbit import Shared

APP = """\
import os, time
from penstock import JobContext, Reject, task


def note(name, text):
    with open(name, "a") as file:
        file.write(f"{text}\\n")


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def large(size: int) -> str:
    return "x" * size


@task
def wrong(text: str) -> None:
    print("about to fail")
    raise ValueError(text)


@task
def refuses() -> None:
    raise Reject("never")


@task
def goes_on(ctx: JobContext) -> int:
    if ctx.resume is None:
        ctx.checkpoint("file:///c", 7)
        os._exit(9)
    return ctx.resume.step


@task
def waits(ctx: JobContext) -> int:
    note("begun", os.getpid())
    while not os.path.exists("gate"):
        time.sleep(0.005)
    return ctx.attempt


@task
def quick(number: int) -> int:
    note("ran", number)
    return number
"""


@pytest.fixture
def jobs(tmp_path: Path, broker: str) -> Iterator[BrokerDesk]:
    with broker_desk(tmp_path, APP, broker) as found:
        yield found


def test_jobs_are_run_tried_again_and_given_up_as_their_rules_say(jobs: BrokerDesk) -> None:
    worker = jobs.work()
    done = jobs.submit("add", 1, 2)
    big = jobs.submit("large", 200_000)
    huge = jobs.submit("large", 2_000_000)
    failing = jobs.submit("wrong", "no", max_failures=1)
    refused = jobs.submit("refuses")
    resumed = jobs.submit("goes_on")
    assert jobs.result(done) == 3
    assert jobs.result(big) == "x" * 200_000
    assert "write a file where all can read it" in jobs.until(huge, "dead").cause
    assert jobs.until(failing, "dead").failures == 2
    first, _ = jobs.attempts(failing)
    assert (first.outcome, first.error, first.tail) == ("failed", "ValueError: no", "about to fail\n")
    assert jobs.until(refused, "dead").failures == 1
    assert jobs.result(resumed) == 7
    worker.signal()
    assert "3 dead" in worker.end()
    until(lambda: jobs.depth("ps.q.default") == 0, "no copy is left")


def test_a_delayed_one_is_begun_in_time_and_one_with_a_live_key_is_not_run_twice(jobs: BrokerDesk) -> None:
    due = round(time.time() * 1000) + 700
    later = jobs.submit("quick", 1, run_at=due)
    first = jobs.submit("quick", 2, unique="k")
    jobs.row(first)
    jobs.submit("quick", 3, unique="k")
    jobs.work()
    assert jobs.result(later) == 1
    started = jobs.row(later).started_at
    assert started is not None
    assert due <= started + 5
    assert jobs.result(first) == 2
    assert sorted(jobs.until_noted("ran", 2)) == ["1", "2"]


def test_what_is_no_job_is_a_dead_letter_with_its_bytes_and_stops_nobody(jobs: BrokerDesk) -> None:
    jobs.work()
    raw = b"\x00\xff not a job"
    jobs.publish((topology.JOBS, "r0.default", Message(body=raw)))
    assert jobs.result(jobs.submit("add", 1, 1)) == 2
    (dead,) = until(lambda: [job for job in jobs.store.jobs() if job.state == "dead"], "it is kept")
    assert dead.task == UNREADABLE
    assert "its type" in dead.cause or "of the type" in dead.cause
    assert jobs.store.arguments(dead.id) == raw


def test_many_jobs_are_done_once_each_by_two_supervisors(jobs: BrokerDesk) -> None:
    jobs.work("--workers", "2")
    jobs.work("--workers", "2")
    ids = jobs.submit_many("quick", 300)
    until(lambda: jobs.store.depths().get("default", {}).get("done") == 300, "all are done")
    assert sorted(map(int, jobs.until_noted("ran", 300))) == list(range(300))
    assert {len(jobs.attempts(id)) for id in ids} == {1}


def test_a_copy_that_comes_twice_is_run_once(jobs: BrokerDesk) -> None:
    id = jobs.submit("quick", 5)
    jobs.row(id)
    jobs.submit("quick", 5, id=id)
    jobs.work()
    assert jobs.result(id) == 5
    until(lambda: jobs.depth("ps.q.default") == 0, "both copies are gone")
    assert jobs.result(jobs.submit("quick", 6)) == 6
    assert jobs.until_noted("ran", 2) == ["5", "6"]


def test_what_runs_is_given_back_at_a_second_ctrl_c_and_counts_no_failure(jobs: BrokerDesk) -> None:
    worker = jobs.work()
    id = jobs.submit("waits")
    jobs.until_noted("begun")
    worker.signal(signal.SIGTERM)
    worker.until_said("draining")
    worker.signal(signal.SIGTERM)
    worker.end(143)
    row = jobs.until(id, "ready")
    assert (row.failures, row.preemptions) == (0, 1)
    (jobs.directory / "gate").touch()
    jobs.work()
    assert jobs.result(id) == 2


def test_while_the_hub_is_away_what_runs_goes_on_and_is_recorded_when_it_is_back(jobs: BrokerDesk) -> None:
    jobs.work()
    id = jobs.submit("waits")
    jobs.until_noted("begun")
    jobs.hub.process.kill()
    jobs.hub.process.wait()
    (jobs.directory / "gate").touch()
    second = jobs.submit("add", 2, 2)
    jobs.keep()
    assert jobs.result(id) == 1
    assert jobs.result(second) == 4


def test_a_hub_that_starts_long_after_a_supervisor_learns_of_its_groups(
    jobs: BrokerDesk, rabbit: Shared, broker: str
) -> None:
    jobs.hub.close()
    jobs.work()
    until(lambda: jobs.depth(topology.CLAIMS), "it is said that a supervisor is there")
    rabbit.ask(
        "DELETE", f"queues/{quote(parse(broker).vhost, safe='')}/{topology.CLAIMS}/contents"
    )  # it expires
    assert list(jobs.store.groups()) == []
    jobs.keep()
    until(lambda: "default" in jobs.store.groups(), "the hub knows of the group")
