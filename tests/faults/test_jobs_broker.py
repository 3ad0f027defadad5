"""Jobs over a broker while what they need is killed: nothing is lost, and each result is recorded once."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from penstock.rabbitmq.url import parse
from tests.brokered import BrokerDesk, broker_desk
from tests.jobs import Supervisor, children, until
from tests.proxy import proxy
from tests.rabbit import Node, answers, fabric

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
    time.sleep(float(os.environ.get("STEADY", 0.01)))
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
    until(lambda: jobs.done() == count, f"{count} are done: {jobs.everybody}", within=120)


def _kill(supervisor: Supervisor) -> None:
    supervisor.process.kill()
    supervisor.process.wait()


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
            until(lambda: jobs.done() > 5, "they are under way")
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
    id = jobs.submit("deaf", 100.0 if long_form else 1.0)  # heartbeats are 30 s apart
    assert jobs.result(id) == "through"
    assert [each.outcome for each in jobs.attempts(id)] == ["done"]


class Chaos:
    """Kills one of those that jobs need, and starts it again, as who looks after a machine does."""

    def __init__(self, jobs: BrokerDesk, node: Node | None, **variables: str) -> None:
        """``node``: the broker, if that is to be killed, too."""
        self._jobs, self._node, self._variables = jobs, node, variables
        self._chance = random.Random(5)
        self._workers = [self._work() for _ in range(2)]
        self.killed: Counter[str] = Counter()

    def _work(self) -> Supervisor:
        return self._jobs.work("--workers", "2", **self._variables)

    def kill(self) -> None:
        """One of them, whichever is there."""
        victims = {"supervisor": self._kill_supervisor, "worker": self._kill_worker, "hub": self._kill_hub}
        if self._node is not None and answers(self._node.port):
            victims["broker"] = self._kill_broker
        name = self._chance.choice(list(victims))
        self.killed[name] += victims[name]()

    def _kill_supervisor(self) -> bool:
        worker = self._chance.choice(self._workers)
        was_there = worker.process.poll() is None
        _kill(worker)
        return was_there

    def _kill_worker(self) -> bool:
        worker = self._chance.choice(self._workers)
        pids = children(worker.process.pid) if worker.process.poll() is None else []
        for pid in pids[:1]:
            os.kill(pid, signal.SIGKILL)
        return bool(pids)

    def _kill_hub(self) -> bool:
        was_there = self._jobs.hub.process.poll() is None
        _kill(self._jobs.hub)
        return was_there

    def _kill_broker(self) -> bool:
        assert self._node is not None
        self._node.kill()
        self._node.launch()
        return True

    def revive(self) -> None:
        """Start again who has ended: who is started while the broker is away does not stay."""
        if self._jobs.hub.process.poll() is not None:
            self._jobs.start_hub()
        self._workers = [self._work() if each.process.poll() is not None else each for each in self._workers]

    def is_over(self, count: int) -> bool:
        """Whether so many jobs are done; who is missing is started."""
        self.revive()
        return self._jobs.done() == count


@pytest.mark.timeout(1500)
def test_whoever_is_killed_every_second_no_job_is_lost_and_each_is_recorded_once(
    tmp_path: Path, long_form: bool, request: pytest.FixtureRequest
) -> None:
    count, seconds = (5000, 120) if long_form else (150, 4)
    with ExitStack() as ground:
        node = Node(ground.enter_context(fabric())).start() if long_form else None
        url = node.url() if node else request.getfixturevalue("broker")
        jobs = ground.enter_context(broker_desk(tmp_path, APP, url))
        ids = jobs.submit_many("steady", count, max_failures=10_000, backoff=0.05, longest=0.2)
        chaos = Chaos(jobs, node, STEADY="0.05" if long_form else "0.01")
        end, pause = time.monotonic() + seconds, threading.Event()
        while time.monotonic() < end and jobs.done() < count:
            pause.wait(1)
            chaos.kill()
            chaos.revive()
        done_by_then = jobs.done()
        until(lambda: chaos.is_over(count), f"{count} are done: {jobs.everybody}", within=600)
        ran = (jobs.directory / "ran").read_text().split()
        print(f"killed {dict(chaos.killed)}; {done_by_then} of {count} jobs were done by then")
        print(f"0 lost, {len(ran) - len(set(ran))} executions more than jobs")
        assert set(map(int, ran)) == set(range(count))
        assert [jobs.result(id) for id in ids] == list(range(count))
        assert all([each.outcome for each in jobs.attempts(id)].count("done") == 1 for id in ids)
