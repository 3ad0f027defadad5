"""Jobs over a real broker: a hub keeps the store, and supervisors share nothing with it but the broker."""

from __future__ import annotations

import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from penstock.cli.main import answer
from penstock.errors import UserError
from penstock.rabbitmq import topology
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import parse
from penstock.tasks.connect import remote
from penstock.tasks.freight import packed
from penstock.tasks.home import locate
from penstock.tasks.job import NewJob, Rules
from penstock.tasks.store import Store
from penstock.tasks.transit import UNREADABLE
from tests.brokered import BrokerDesk, broker_desk
from tests.jobs import PATIENCE, until
from tests.proxy import proxy
from tests.rabbit import Shared, free_port

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
def hands_on() -> tuple[str, list[str]]:
    shown = [name for name, value in os.environ.items() if "guest:guest" in value]
    return add.submit(2, 3).id, shown


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
    here = f'[envs.here]\npython = "{sys.executable}"\n[group.default]\nenv = "here"\n'
    (jobs.directory / "penstock.toml").write_text(here)
    worker = jobs.work()
    done = jobs.submit("add", 1, 2)
    big = jobs.submit("large", 200_000)
    huge = jobs.submit("large", 2_000_000)
    failing = jobs.submit("wrong", "no", max_failures=1)
    refused = jobs.submit("refuses")
    resumed = jobs.submit("goes_on")
    assert jobs.result(done) == 3
    assert jobs.result(big) == "x" * 200_000
    assert "say which it is with [tasks] files" in jobs.until(huge, "dead").cause
    assert jobs.until(failing, "dead").failures == 2
    first, second = jobs.attempts(failing)
    assert re.fullmatch("[0-9a-f]{16}", first.env), "the hash of the environment goes over the broker"
    assert first.env == second.env
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


def test_a_hub_and_a_worker_that_start_before_the_broker_wait_for_it_and_end_when_told_to(
    jobs: BrokerDesk,
) -> None:
    there, port = parse(jobs.broker), free_port()
    jobs.hub.signal()
    jobs.hub.end()
    away = jobs.broker.replace(f":{there.port}/", f":{port}/")
    hubs = [jobs.start_hub(PENSTOCK_BROKER=away) for _ in range(2)]
    workers = [jobs.work(PENSTOCK_BROKER=away) for _ in range(2)]
    for each in (*hubs, *workers):
        each.until_said("cannot be reached: Connection refused")
    for each in (hubs[0], workers[0]):
        each.signal()
        each.process.wait(PATIENCE)
    assert "ended" in hubs[0].said
    with proxy(there.port, port):
        hubs[1].until_said("ready")
        workers[1].until_said("1/1 ready")
        job = jobs.submit("add", 2, 3)
        assert until(lambda: jobs.row(job).state == "done", f"it is done: {hubs[1].said}{workers[1].said}")
        assert hubs[1].said.count("cannot be reached") == 1
        for each in (workers[1], hubs[1]):
            each.signal()
            each.end()


def test_a_job_that_cannot_be_written_for_a_broker_is_dead_and_says_why(jobs: BrokerDesk) -> None:
    job = NewJob("g" * 300, "add", packed([[], {}]))
    jobs.store.submit([job])  # as by an account that may say anything
    jobs.submit("add", 1, 2)  # the hub looks
    until(lambda: jobs.row(job.id).state == "dead", f"it is dead: {jobs.hub.said}")
    assert "cannot be written for a broker" in jobs.row(job.id).cause


def test_a_group_that_nobody_has_declared_stops_no_hub_and_is_looked_for_again(jobs: BrokerDesk) -> None:
    jobs.hub.signal()
    jobs.hub.end()
    jobs.store.add_group("strange")
    jobs.keep().until_said("the group 'strange' has no queues; penstock broker init --group strange makes")
    id = jobs.submit("add", 2, 3)
    assert jobs.row(id).state == "ready"
    assert answer(["broker", "init", jobs.broker, "--group", "strange"]) == 0
    jobs.submit("add", 2, 3, group="strange")
    jobs.publish((topology.DEAD_LETTERS, "strange", Message(body=b"junk")))
    until(lambda: any(row.task == UNREADABLE for row in jobs.store.jobs()), "what was given up is there")
    assert "broker is away" not in jobs.hub.said


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


def test_a_hub_keeps_as_many_as_penstock_toml_says(jobs: BrokerDesk) -> None:
    jobs.work()
    for id in jobs.submit_many("quick", 3):
        jobs.until(jobs.row(id).id, "done")
    jobs.hub.signal()
    jobs.hub.end()
    (jobs.hub_directory / "penstock.toml").write_text("[tasks]\nkeep_jobs = 1\n")
    jobs.keep()
    until(lambda: len(jobs.store.jobs()) == 1, "two are forgotten")
    assert jobs.result(jobs.submit("quick", 4)) == 4


def test_what_is_too_large_for_a_broker_goes_by_a_folder_that_all_share(
    tmp_path: Path, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_FILES", str(tmp_path / "shared"))
    with broker_desk(tmp_path, APP, broker) as jobs:
        jobs.work()
        desk = remote(broker)
        arguments, moderate = packed([["x" * 2_000_000], {}]), packed([[1_500_000], {}])
        wrong = NewJob("default", "wrong", arguments, rules=Rules(max_failures=1, backoff=0.0))
        huge = NewJob("default", "large", packed([[5_000_000], {}]))
        desk.submit([wrong, huge, NewJob("default", "large", moderate)])
        assert len(jobs.result(huge.id)) == 5_000_000
        assert jobs.until(wrong.id, "dead").failures == 2
        assert desk.arguments(wrong.id) == arguments
        assert desk.results([huge.id]) == [jobs.store.result(huge.id)]
        others = packed([["y" * 2_000_001], {}])
        assert desk.amend(wrong.id, others)
        assert jobs.until(wrong.id, "dead").failures == 2
        assert desk.arguments(wrong.id) == others
        desk.close()
    assert [path.name for path in (tmp_path / ".penstock").rglob("*.result")] == []


def test_arguments_that_are_too_large_are_refused_with_the_setting_that_cures_it(jobs: BrokerDesk) -> None:
    desk = remote(jobs.broker, locate(str(jobs.directory), {}))
    with pytest.raises(
        UserError, match=r"2,0\d\d,\d+ bytes .* \[tasks\] files in penstock.toml, or PENSTOCK_FILES"
    ):
        desk.submit([NewJob("default", "wrong", packed([["x" * 2_000_000], {}]))])
    desk.close()


def test_a_job_may_submit_and_has_no_password_in_its_environment(
    jobs: BrokerDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "broker", jobs.broker.replace("amqp://", "amqp://guest:guest@"))
    jobs.work()
    inner, shown = jobs.result(jobs.submit("hands_on"))
    assert (jobs.result(inner), shown) == (5, [])


def test_a_hub_that_has_lost_its_store_has_from_others_what_they_know(jobs: BrokerDesk) -> None:
    jobs.work()
    running = jobs.submit("waits")
    jobs.until_noted("begun")
    waiting = [jobs.submit("quick", number) for number in range(3)]
    jobs.row(waiting[-1])
    jobs.hub.process.kill()
    jobs.hub.process.wait()
    jobs.store.close()
    shutil.rmtree(jobs.hub_directory / ".penstock")
    jobs.start_hub("--recover").until_said("keeps the store of jobs")
    jobs.store = Store(str(jobs.hub_directory / ".penstock" / "jobs.db"))
    jobs.row(running)
    (jobs.directory / "gate").touch()
    assert jobs.result(running) == 1
    for number, id in enumerate(waiting):
        jobs.row(id)
        assert jobs.result(id) == number
    assert sorted(jobs.until_noted("ran", 3)) == ["0", "1", "2"]


def test_a_hub_with_an_old_copy_of_its_store_has_what_waits_published_again(
    jobs: BrokerDesk, rabbit: Shared, broker: str
) -> None:
    id = jobs.submit("quick", 1)
    jobs.row(id)
    jobs.hub.process.kill()
    jobs.hub.process.wait()
    # It was done since, say.
    rabbit.ask("DELETE", f"queues/{quote(parse(broker).vhost, safe='')}/ps.q.default/contents")
    jobs.start_hub("--recover").until_said("keeps the store of jobs")
    jobs.work()
    assert jobs.result(id) == 1
