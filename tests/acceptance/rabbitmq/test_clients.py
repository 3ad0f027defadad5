"""Who hands jobs in over a broker: from threads, from async code, after a fork, from another process; and
what he is told when something is not as it should be."""

# mypy: disable-error-code="unused-awaitable"
from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock import EnvironmentFault, Job, TimedOut, UserError, chain, task, tasks
from penstock.cli import main
from penstock.errors import BrokerFault
from penstock.rabbitmq.accounts import api
from penstock.rabbitmq.desk import RabbitDesk
from penstock.rabbitmq.url import parse
from penstock.tasks.connect import instead, remote
from penstock.tasks.freight import packed
from penstock.tasks.job import NewJob, new_id
from penstock.tasks.settle import Closing, Done
from penstock.tasks.store import Store
from tests.hub import Hub, hub, prepare
from tests.jobs import until
from tests.proxy import proxy
from tests.rabbit import Shared, free_port

PATIENCE = "60s"
SECRET = "hush-hush"


@task
def double(number: int) -> int:
    return 2 * number


@task(group="strangers")
def nobody(number: int = 0) -> None:
    return None


@pytest.fixture
def desk(broker: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitDesk]:
    """A broker that is prepared, and that jobs of this process go over; nobody keeps the store yet."""
    prepare(broker, "default", "gpu")
    monkeypatch.setenv("PENSTOCK_BROKER", broker)
    found = remote(broker)
    assert isinstance(found, RabbitDesk)
    yield found
    found.close()


@pytest.fixture
def keeper(desk: RabbitDesk, broker: str, tmp_path: Path) -> Iterator[Hub]:
    """Somebody who does."""
    with hub(broker, tmp_path / "jobs.db", "default", "gpu") as found:
        yield found


def finish(path: Path, keeper: Hub) -> int:
    """Run what there is, as a supervisor would; how many they were."""
    store = Store(str(path / "jobs.db"))
    claims = store.claim("a worker", "default", 10_000)
    store.close_attempts([Closing(each.id, each.fence, Done(packed(7))) for each in claims])
    store.close()
    keeper.ring()
    return len(claims)


def finish_all(jobs: list[Job[int]], path: Path, keeper: Hub) -> bool:
    """The same; whether these are over now."""
    finish(path, keeper)
    return all(job.state == "done" for job in jobs)


# Handing in ----------------------------------------------------------------------------------------------


def test_a_job_needs_nobody_but_the_broker_to_be_handed_in(
    desk: RabbitDesk, broker: str, tmp_path: Path
) -> None:
    job = double.submit(1)
    many = double.submit_many(double.call(number) for number in range(50))
    with hub(broker, tmp_path / "jobs.db", "default"):
        assert job.state == "ready"
        assert many.counts == {"ready": 50}


def test_threads_share_one_connection_and_get_each_their_own_answer(keeper: Hub) -> None:
    def work(number: int) -> list[Job[int]]:
        return [double.submit(number) for _ in range(5)]

    with ThreadPoolExecutor(8) as threads:
        jobs = [job for some in threads.map(work, range(8)) for job in some]
        rows = list(threads.map(lambda job: job.row, jobs))
    assert [row.id for row in rows] == [job.id for job in jobs]
    assert len(set(jobs)) == 40


def test_async_code_hands_in_and_waits_without_stopping_its_loop(keeper: Hub, tmp_path: Path) -> None:
    async def run() -> list[int]:
        jobs = [double.submit(number) for number in range(10)]
        waiting = [asyncio.ensure_future(_result(job)) for job in jobs]
        await asyncio.to_thread(until, lambda: finish_all(jobs, tmp_path, keeper), "all are over")
        return await asyncio.gather(*waiting)

    assert asyncio.run(run()) == [7] * 10


async def _result(job: Job[int]) -> int:
    return await job


def test_a_child_after_a_fork_has_a_connection_of_its_own(keeper: Hub) -> None:
    before = double.submit(1)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, double.submit(2).id.encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        id = told.read()
    os.waitpid(child, 0)
    assert tasks.get(id).id == id
    assert before.state == "ready"


ELSEWHERE = """
from penstock.tasks.connect import desk
from penstock.tasks.freight import packed
from penstock.tasks.job import NewJob
print(*desk(".").submit([NewJob("default", "double", packed([[1], {}]))]))
"""


def test_a_job_of_a_process_that_has_ended_is_found_by_its_id(keeper: Hub, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    job = tasks.get(done.stdout.strip())
    finish(tmp_path, keeper)
    assert job.result(PATIENCE) == 7


def test_what_is_handed_in_again_after_a_lost_connection_is_there_once(
    keeper: Hub, desk: RabbitDesk, rabbit: Shared, broker: str
) -> None:
    double.submit(1)
    vhost = urllib.parse.urlsplit(broker).path[1:]

    def ours() -> list[str]:
        found = rabbit.ask("GET", f"vhosts/{vhost}/connections")
        return [each["name"] for each in found if each.get("user_provided_name") == "penstock client"]

    for name in until(ours, "the management API knows the connection"):
        rabbit.ask("DELETE", f"connections/{urllib.parse.quote(name)}")
    jobs = double.submit_many(double.call(number) for number in range(20))
    assert until(lambda: jobs.counts if jobs.counts.get("ready") == 20 else None, "all are there")
    assert len(desk.jobs()) == 21


def test_who_hands_in_one_by_one_goes_on_when_the_connection_is_cut(keeper: Hub, broker: str) -> None:
    there = parse(broker)
    with proxy(there.port) as way:
        desk = RabbitDesk(msgspec.structs.replace(there, port=way.port), patience=60.0)
        ids: list[str] = []
        for number in range(60):
            if number in {20, 40}:
                way.cut()
                way.mend()
            ids += desk.submit([_call()])
        until(lambda: len(desk.states(ids)) == 60, "each is there")
        assert len(set(ids)) == 60
        assert len(desk.jobs()) == 60
        desk.close()


def test_after_many_jobs_an_unknown_group_is_the_same_error_and_the_next_job_is_taken(keeper: Hub) -> None:
    jobs = [double.submit(number) for number in range(15)]
    with pytest.raises(UserError, match=r"no queue for the group 'strangers'; there is 'default', 'gpu'"):
        nobody.submit()
    jobs.append(double.submit(15))
    assert [job.row.id for job in jobs] == [job.id for job in jobs]


def _call() -> NewJob:
    return NewJob("default", "t", packed(bytes(300_000)))


def test_an_account_that_may_only_submit_and_ask_is_enough(keeper: Hub, rabbit: Shared, broker: str) -> None:
    vhost = urllib.parse.quote(urllib.parse.urlsplit(broker).path[1:], safe="")
    account = api(f"api-{vhost}")
    rabbit.ask("PUT", f"users/{account.name}", {"password": SECRET, "tags": ""})
    allowed = {"configure": account.configure, "write": account.write, "read": account.read}
    rabbit.ask("PUT", f"permissions/{vhost}/{account.name}", allowed)
    for keys in account.keys:
        said = {"exchange": keys.exchange, "write": keys.write, "read": keys.read}
        rabbit.ask("PUT", f"topic-permissions/{vhost}/{account.name}", said)
    desk = RabbitDesk(parse(rabbit.url(vhost, account.name, SECRET)), patience=60.0)
    try:
        with instead(desk), desk.watch():
            later = double.options(delay="1h").submit(2)
            assert (double.submit(1).state, later.state) == ("ready", "scheduled")
            assert later.cancel() == "cancelled"
    finally:
        desk.close()
        rabbit.ask("DELETE", f"users/{account.name}")


# What goes wrong -----------------------------------------------------------------------------------------


def test_an_unknown_group_is_an_error_that_names_those_there_are(keeper: Hub) -> None:
    with pytest.raises(UserError, match=r"no queue for the group 'strangers'; there is 'default', 'gpu'"):
        nobody.submit()


def test_a_chain_with_an_unknown_group_is_not_begun(keeper: Hub, desk: RabbitDesk) -> None:
    with pytest.raises(UserError, match="no queue for the group 'strangers'; there is 'default', 'gpu'"):
        chain(double.call(1), nobody).submit()
    assert desk.jobs() == []


def test_an_unknown_group_is_an_error_too_when_nobody_can_name_any(
    desk: RabbitDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.rabbitmq.desk.ASIDE", 0.2)
    with pytest.raises(UserError, match=r"group 'strangers'; penstock broker init --group strangers makes"):
        nobody.submit()


def test_arguments_that_are_too_large_are_refused_before_anything_is_sent(
    keeper: Hub, desk: RabbitDesk
) -> None:
    small, large = NewJob("default", "t", packed("x")), NewJob("default", "t", packed(bytes(2_000_000)))
    with pytest.raises(UserError, match="are too many for a broker, which takes 1,000,000; what is larger"):
        desk.submit([small, large])
    assert desk.jobs() == []


def test_without_anybody_who_keeps_the_store_a_question_ends_in_a_sentence(broker: str) -> None:
    prepare(broker, "default")
    desk = RabbitDesk(parse(broker), patience=0.3)
    with pytest.raises(EnvironmentFault, match=r"nobody who keeps .* within 0.3 s; is a hub running\?"):
        desk.queues()
    desk.close()


def test_who_waits_already_waits_on_while_nobody_keeps_the_store(broker: str, tmp_path: Path) -> None:
    prepare(broker, "default")
    desk = RabbitDesk(parse(broker), patience=0.5)
    seen: list[str] = []
    with instead(desk):
        with hub(broker, tmp_path / "jobs.db", "default"):
            job = double.submit(1)
            waiting = threading.Thread(target=_follow, args=(job, seen))
            waiting.start()
            until(lambda: seen, "it has looked once")
        with pytest.raises(BrokerFault):
            desk.queues()
        with hub(broker, tmp_path / "jobs.db", "default") as second:
            finish(tmp_path, second)
            waiting.join(60)
    desk.close()
    assert seen == ["ready", "done"]


def _follow(job: Job[int], seen: list[str]) -> None:
    for row in job:
        seen.append(row.state)  # noqa: PERF401  somebody looks at them meanwhile


def test_a_job_that_the_hub_has_not_come_to_yet_is_not_said_to_be_none(keeper: Hub, broker: str) -> None:
    impatient = RabbitDesk(parse(broker), patience=0.3)
    try:
        with pytest.raises(BrokerFault, match=r"has not come to job .* yet; ask again"):
            impatient.job(new_id())
    finally:
        impatient.close()


def test_a_broker_that_is_not_there_is_waited_for_and_then_an_error() -> None:
    desk = RabbitDesk(parse(f"amqp://me:{SECRET}@127.0.0.1:{free_port()}"), patience=0.3)
    with instead(desk), pytest.raises(EnvironmentFault, match="cannot be reached: ") as refused:
        double.submit(1)
    assert SECRET not in str(refused.value)
    desk.close()


def test_a_broker_that_nobody_has_prepared_is_an_error_with_the_cure(broker: str) -> None:
    desk = RabbitDesk(parse(broker))
    with (
        instead(desk),
        pytest.raises(BrokerFault, match=r"is not prepared for jobs; .*: penstock broker init"),
    ):
        double.submit(1)
    desk.close()


def test_a_wrong_password_is_never_shown_and_refused_where_others_see_it(
    broker: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = broker.replace("amqp://", f"amqp://guest:{SECRET}@")
    for words in (
        ["tasks", "list", "--broker"],
        ["hub", "--broker"],
        ["broker", "queues"],
        ["bench", "--broker"],
    ):
        assert main.answer([*words, wrong]) == 2
    monkeypatch.setenv("PENSTOCK_BROKER", wrong)
    assert main.answer(["tasks", "list"]) == 5
    said = "".join(capfd.readouterr())
    assert "does not let user" in said and "is the password right?" in said
    assert (
        said.count("a password on a command line is seen by all who list processes; put it into a file") == 4
    )
    assert SECRET not in said
    remote(wrong).close()


def test_what_is_no_rabbitmq_is_said_so(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            caller, _ = server.accept()
            with caller:
                caller.recv(8)
                caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        serving = threading.Thread(target=serve)
        serving.start()
        url = f"amqp://127.0.0.1:{server.getsockname()[1]}"
        assert main.answer(["queues", "--broker", url]) == 5
        serving.join()
    assert "what answers there is not RabbitMQ" in "".join(capfd.readouterr())
    remote(url).close()


def test_what_is_no_address_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.answer(["tasks", "list", "--broker", "http://rabbit.example"]) == 4
    assert "is no URL of a broker; write amqps://" in capsys.readouterr().err


# The command line ----------------------------------------------------------------------------------------


def test_commands_say_of_a_broker_what_they_say_of_a_file(
    keeper: Hub,
    broker: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    double.submit(1)
    monkeypatch.delenv("PENSTOCK_BROKER")
    monkeypatch.chdir(tmp_path)

    def told(verb: str, *words: str, over: bool = True) -> dict[str, Any]:
        where = ["--broker", broker] if over else []
        assert main.answer(["tasks", verb, "--json", *where, *words]) == 0, capsys.readouterr().err
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    assert told("submit", "--group", "default", "--", "true")["seq"] == 2
    monkeypatch.setenv("PENSTOCK_JOBS", str(tmp_path / "jobs.db"))
    for words in (["list"], ["show", "1"], ["stats"], ["schedules"]):
        assert told(*words) == told(*words, over=False)
    for words in (["pause", "default"], ["resume", "default"], ["cancel", "1"], ["retry", "1"]):
        told(*words)
    told("cancel", "1", "2")
    told("purge", "1")
    assert [row["state"] for row in told("list")["jobs"]] == ["cancelled"]
    assert main.answer(["tasks", "logs", "2", "--broker", broker]) == 0
    assert main.answer(["queues", "--json", "--broker", broker]) == 0
    (group, _) = json.loads(capsys.readouterr().out)["groups"]
    assert (group["group"], group["ready"]) == ("default", 0)


def test_a_command_submits_though_nobody_keeps_the_store(
    desk: RabbitDesk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(desk, "_patience", 1.0)
    assert main.answer(["tasks", "submit", "--group", "gpu", "--json", "--", "true"]) == 0
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert len(told["id"]) == 36 and told["seq"] is None
    assert "the job is submitted, and waits; nobody who keeps the store" in shown.err


def test_a_wait_that_is_too_short_is_no_fault_of_the_broker(keeper: Hub) -> None:
    with pytest.raises(TimedOut, match="after 50ms job"):
        double.submit(1).result("50ms")


def test_a_priority_is_said_not_to_count(keeper: Hub, desk: RabbitDesk) -> None:
    with pytest.warns(UserWarning, match="priority= does not count over a broker"):
        double.options(priority=5).submit(1)


def test_a_broker_with_no_dead_letters_is_named(
    keeper: Hub,
    broker: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENSTOCK_BROKER", broker)
    assert main.answer(["dead", "list"]) == 0
    assert f"no dead letters in .penstock/jobs.db, nor over {parse(broker)}" in capfd.readouterr().err


def test_how_long_an_act_may_take_is_said_in_the_url() -> None:
    desk = RabbitDesk(parse(f"amqp://me@127.0.0.1:{free_port()}?timeout=300ms"))
    began = time.monotonic()
    with instead(desk), pytest.raises(BrokerFault):
        double.submit(1)
    assert time.monotonic() - began < 9
    desk.close()
