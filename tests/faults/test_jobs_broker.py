"""Jobs over a broker while what they need is killed: nothing is lost, and each result is recorded once."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.rabbitmq.url import parse
from tests.brokered import BrokerDesk, broker_desk
from tests.jobs import Supervisor, until
from tests.proxy import proxy
from tests.rabbit import Node, fabric

pytestmark = pytest.mark.fault

APP = """\
import os, time
from penstock import JobContext, task


def note(name, text):
    with open(name, "a") as file:
        file.write(f"{text}\\n")


@task
def quick(number: int) -> int:
    note("ran", number)
    return number


@task
def stumbles(ctx: JobContext, number: int) -> int:
    note("ran", number)
    if ctx.attempt == 1:
        raise ValueError("the first time")
    return number


@task
def waits(ctx: JobContext) -> int:
    note("begun", os.getpid())
    while not os.path.exists("gate"):
        time.sleep(0.005)
    return ctx.attempt


@task
def deaf(seconds: float) -> str:
    note("begun", os.getpid())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(10**7))
    return "through"


@task
def steady(number: int) -> int:
    note("ran", number)
    time.sleep(0.01)
    return number
"""

POINTS = [
    "after_claim_before_start",
    "after_run_before_copy",
    "after_copy_before_word",
    "after_word_before_ack",
]


@pytest.fixture
def jobs(tmp_path: Path, broker: str) -> Iterator[BrokerDesk]:
    with broker_desk(tmp_path, APP, broker) as found:
        yield found


def _done(jobs: BrokerDesk, count: int) -> None:
    until(
        lambda: jobs.store.depths().get("default", {}).get("done", 0) == count,
        f"{count} are done: {jobs.store.depths()} {[each.said for each in jobs._supervisors]}",
        within=120,
    )


def _kill(supervisor: Supervisor) -> None:
    supervisor.process.kill()
    supervisor.process.wait()


def _children(supervisor: Supervisor) -> list[int]:
    pid = supervisor.process.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_supervisor_that_is_killed_between_any_two_steps_loses_nothing(jobs: BrokerDesk) -> None:
    ids = [jobs.submit("stumbles", number, max_failures=9) for number in range(20)]
    doomed = [jobs.work(PENSTOCK_FAULT=point) for point in POINTS]
    for each in doomed:
        assert each.process.wait(60) == -signal.SIGKILL, each.said
    jobs.work()
    _done(jobs, 20)
    assert [jobs.result(id) for id in ids] == list(range(20))
    assert all([each.outcome for each in jobs.attempts(id)].count("done") == 1 for id in ids)
    until(lambda: jobs.depth("ps.q.default") == 0, "no copy is left")


@pytest.mark.parametrize("point", ["after_commit_before_ack", "after_publish_before_commit"])
def test_a_hub_that_is_killed_between_two_steps_is_told_again(jobs: BrokerDesk, point: str) -> None:
    _kill(jobs.hub)
    jobs.start_hub(PENSTOCK_FAULT=point)
    jobs.work()
    first = [jobs.submit("stumbles", number) for number in range(5)]
    late = jobs.submit("quick", 7, run_at=1)
    assert jobs.hub.process.wait(60) == -signal.SIGKILL, jobs.hub.said
    jobs.keep()
    assert jobs.result(late) == 7
    assert [jobs.result(id) for id in first] == list(range(5))
    assert all([each.outcome for each in jobs.attempts(id)].count("done") == 1 for id in first)


def test_a_killed_supervisor_costs_its_job_one_failure_and_another_runs_it(jobs: BrokerDesk) -> None:
    first = jobs.work()
    id = jobs.submit("waits")
    jobs.until_noted("begun")
    _kill(first)
    jobs.work()
    jobs.until_noted("begun", 2)
    (jobs.directory / "gate").touch()
    assert jobs.result(id) == 2
    assert [each.cause for each in jobs.attempts(id)] == ["crash", ""]
    assert jobs.row(id).failures == 1


def test_who_stands_by_takes_over_from_a_hub_that_is_killed(jobs: BrokerDesk) -> None:
    active = jobs.hub
    standby = jobs.start_hub()
    standby.until_said("ready")
    jobs.work()
    assert jobs.result(jobs.submit("quick", 1)) == 1
    _kill(active)
    assert jobs.result(jobs.submit("quick", 2)) == 2
    assert "keeps the store" in standby.said


def test_a_broker_that_is_killed_and_comes_back_loses_nothing_and_what_runs_goes_on(tmp_path: Path) -> None:
    with fabric() as ground:
        node = Node(ground).start()
        with broker_desk(tmp_path, APP, node.url()) as jobs:
            worker = jobs.work("--workers", "2")
            running = jobs.submit("waits")
            jobs.until_noted("begun")
            ids = jobs.submit_many("steady", 60, backoff=0.05)
            until(lambda: jobs.store.depths()["default"].get("done", 0) > 5, "they are under way")
            node.restart()
            (jobs.directory / "gate").touch()
            assert jobs.result(running) == 1
            _done(jobs, 61)
            assert "the broker is away" in worker.said
            assert all([each.outcome for each in jobs.attempts(id)].count("done") == 1 for id in ids)


def test_a_supervisor_that_is_cut_off_for_a_moment_keeps_what_it_runs(jobs: BrokerDesk) -> None:
    with proxy(parse(jobs.broker).port) as way:
        there = jobs.broker.replace(f":{parse(jobs.broker).port}/", f":{way.port}/")
        first = jobs.work(PENSTOCK_BROKER=there)
        id = jobs.submit("waits")
        jobs.until_noted("begun")
        way.cut()
        first.until_said("the broker is away")
        way.mend()
        jobs.work()
        (jobs.directory / "gate").touch()
        assert jobs.result(id) == 1
        assert [each.outcome for each in jobs.attempts(id)] == ["done"]


def test_one_that_is_cut_off_for_long_is_given_up_and_what_it_says_later_does_not_count(
    jobs: BrokerDesk,
) -> None:
    with proxy(parse(jobs.broker).port) as way:
        there = jobs.broker.replace(f":{parse(jobs.broker).port}/", f":{way.port}/")
        first = jobs.work(PENSTOCK_BROKER=there)
        id = jobs.submit("waits")
        jobs.until_noted("begun")
        way.cut()
        jobs.work()
        jobs.until_noted("begun", 2)
        (jobs.directory / "gate").touch()
        assert jobs.result(id) == 2
        way.mend()
        first.signal(signal.SIGTERM)
        first.end()
        assert [(each.outcome, each.cause) for each in jobs.attempts(id)] == [
            ("failed", "crash"),
            ("done", ""),
        ]


def test_a_job_that_outlives_the_brokers_patience_is_not_run_by_two(tmp_path: Path) -> None:
    with fabric() as ground:
        tick = "[{rabbit, [{consumer_timeout, 3000}, {channel_tick_interval, 1000}]}]."
        node = Node(ground, advanced=tick).start()
        with broker_desk(tmp_path, APP, node.url()) as jobs:
            worker = jobs.work()
            id = jobs.submit("waits")
            jobs.until_noted("begun")
            worker.until_said("the broker is away")
            jobs.work()
            (jobs.directory / "gate").touch()
            assert jobs.result(id) == 1
            assert len(jobs.until_noted("begun")) == 1


def test_a_job_whose_code_lets_nothing_else_run_keeps_its_copy(jobs: BrokerDesk, long_form: bool) -> None:
    jobs.work()
    id = jobs.submit("deaf", 100.0 if long_form else 3.0)  # heartbeats are 30 s apart
    assert jobs.result(id) == "through"
    assert [each.outcome for each in jobs.attempts(id)] == ["done"]


def test_supervisors_workers_and_hubs_that_die_at_random_lose_nothing(
    jobs: BrokerDesk, long_form: bool
) -> None:
    count, seconds = (5000, 120) if long_form else (250, 8)
    chance = random.Random(5)
    ids = jobs.submit_many("steady", count, max_failures=10_000, backoff=0.05, longest=0.2)
    workers = [jobs.work("--workers", "2") for _ in range(2)]
    end, pause = time.monotonic() + seconds, threading.Event()
    killed: Counter[str] = Counter()
    while time.monotonic() < end and jobs.store.depths().get("default", {}).get("done", 0) < count:
        pause.wait(1)
        what = chance.choice(["supervisor", "worker", "hub"])
        killed[what] += 1
        if what == "hub":
            _kill(jobs.hub)
            jobs.start_hub()
        elif what == "worker":
            for pid in _children(chance.choice(workers))[:1]:
                os.kill(pid, signal.SIGKILL)
        else:
            _kill(workers.pop(0))
            workers.append(jobs.work("--workers", "2"))
    _done(jobs, count)
    ran = (jobs.directory / "ran").read_text().split()
    print(f"killed {dict(killed)}; {count} jobs, {len(ran) - len(set(ran))} ran more than once")
    assert set(map(int, ran)) == set(range(count))
    assert all([each.outcome for each in jobs.attempts(id)].count("done") == 1 for id in ids)
