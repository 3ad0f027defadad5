"""The control socket, asked as the command line asks it: from another thread, blocking."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import NotRunning, PenstockError, TimedOut, UserError
from penstock.lifecycle import monotonic
from penstock.observe import events
from penstock.runtime import client
from penstock.runtime.policy import stimulus
from penstock.runtime.supervisor import question
from penstock.runtime.supervisor.journal import Journal
from penstock.runtime.supervisor.server import Server
from penstock.runtime.supervisor.view import View
from tests.unit.runtime.conftest import Stand, StandMaker

Talk = Callable[[client.Run], Any]


@pytest.fixture(autouse=True)
def own_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_RUN_DIR", str(tmp_path / "runs"))


async def talking(run: Stand, talk: Talk) -> Any:
    """``talk`` to a run whose workers are ready; then it is drained."""
    journal = Journal(run.supervisor.state_dir.path, run.run_dir.name)
    run.supervisor.listeners.append(journal.hear)
    async with run:
        server = Server(run.supervisor, View(run.supervisor, clock=monotonic), journal=journal)
        await server.start()
        run.run_dir.describe(
            pipeline="test", pid=1, started=time.time(), app="", state_dir=run.supervisor.state_dir.path
        )
        try:
            await run.event(events.WorkerReady, 3)
            answer = await asyncio.to_thread(talk, client.find("test"))
            run.supervisor.tell(stimulus.Drain())
            await run.end()
        finally:
            await server.stop()
        return answer


def ask(run: Stand, talk: Talk) -> Any:
    return asyncio.run(talking(run, talk))


def test_ps_tells_of_stages_replicas_and_links(stand: StandMaker) -> None:
    run = stand(make="source_in_flight", work="well", save="well")
    found = ask(run, lambda it: client.call(it, "ps"))
    assert (found["schema"], found["pipeline"], found["state"]) == ("penstock.ps/1", "test", "running")
    work = found["stages"][1]
    assert (work["name"], work["kind"], work["asked"], work["ready"]) == ("work", "stage", 1, 1)
    [replica] = work["replicas"]
    assert (replica["worker"], replica["state"], replica["restarts"]) == ("work/0", "ready", 0)
    assert replica["python"] == "3.11"
    assert found["links"][0]["in_flight"] == 3
    assert found["totals"]["entered"] == 10


def test_requeue_says_which_links_have_somebody_to_send_now(stand: StandMaker) -> None:
    run = stand(make="source_in_flight", work="well", save="well")
    links = ["make→work", "work→save"]
    told = ask(run, lambda it: client.call(it, "requeue", links=links))
    assert told == {"schema": "penstock.requeue/1", "links": links, "now": links}


def test_requeue_of_a_link_that_is_not_there_is_refused(stand: StandMaker) -> None:
    run = stand(make="source_in_flight", work="well", save="well")

    def talk(it: client.Run) -> None:
        with pytest.raises(UserError, match="there is no link make→gone; there are make→work, work→save"):
            client.call(it, "requeue", links=["make→gone"])

    ask(run, talk)


def test_scale_changes_what_is_asked_for(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    def talk(it: client.Run) -> Any:
        answer = client.call(it, "scale", stage="work", replicas=3)
        client.call(it, "wait", goal="ready", timeout=60)
        return answer, client.call(it, "ps")["stages"][1]

    answer, work = ask(run, talk)
    assert (answer["before"], answer["after"]) == (1, 3)
    assert work["ready"] == 3


def test_restart_is_answered_worker_by_worker(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well", rules={"replicas": 2})

    def talk(it: client.Run) -> Any:
        client.call(it, "wait", goal="ready", timeout=60)
        asked = client.call(it, "restart", stage="work")["workers"]
        return asked, [client.call(it, "renewal", number=each["number"], timeout=60) for each in asked]

    asked, renewed = ask(run, talk)
    assert [each["worker"] for each in asked] == [each["worker"] for each in renewed] == ["work/0", "work/1"]
    assert all(
        each["before"] == one["number"] < each["after"] for one, each in zip(asked, renewed, strict=True)
    )


def test_what_is_not_being_restarted_is_not_waited_for(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    def talk(it: client.Run) -> None:
        with pytest.raises(UserError, match="worker 77 is not being restarted"):
            client.call(it, "renewal", number=77)
        with pytest.raises(UserError, match="no stage is called wrok"):
            client.call(it, "restart", stage="wrok")

    ask(run, talk)


def test_a_refusal_comes_as_the_error_it_is(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    def talk(it: client.Run) -> None:
        with pytest.raises(UserError, match="make is a source"):
            client.call(it, "scale", stage="make", replicas=3)
        with pytest.raises(UserError, match="nothing is called done; wait for ready"):
            client.call(it, "wait", goal="done")
        with pytest.raises(PenstockError, match="no such verb: explode"):
            client.call(it, "explode")
        with pytest.raises(PenstockError, match="scale:"):
            client.call(it, "scale", speed=3)

    ask(run, talk)


def test_a_wait_that_is_too_long_is_a_time_out(stand: StandMaker) -> None:
    run = stand(make="source_in_flight", work="well", save="well")

    def talk(it: client.Run) -> None:
        with pytest.raises(TimedOut, match=r"test was not idle within 0\.1 s"):
            client.call(it, "wait", goal="idle", timeout=0.1)

    ask(run, talk)


def test_idle_is_nothing_in_flight(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")
    assert ask(run, lambda it: client.call(it, "wait", goal="idle"))["totals"]["in_flight"] == 0


def test_whoever_waits_for_the_drain_is_answered_before_the_run_is_gone(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    def talk(it: client.Run) -> Any:
        client.call(it, "drain")
        return client.call(it, "wait", goal="drained", timeout=60)

    assert ask(run, talk)["state"] == "ended"


def test_events_stream_from_the_first_until_the_run_ends(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    def talk(it: client.Run) -> Any:
        stream = client.follow(it)
        client.call(it, "scale", stage="work", replicas=2)
        before = list(itertools.takewhile(lambda event: event["event"] != "stage_scaled", stream))
        client.call(it, "drain")
        return before, list(stream)

    before, rest = ask(run, talk)
    assert (before[0]["event"], rest[-1]["event"]) == ("run_began", "run_ended")
    assert sum(event["event"] == "worker_ready" for event in before) == 3
    numbers = [event["n"] for event in before] + [event["n"] for event in rest]
    assert numbers == [n for n in range(len(numbers) + 1) if n != len(before)]  # which was scale's


@pytest.mark.parametrize(
    "text",
    [
        b"hello\n",
        b"[]\n",
        b'{"no": "verb"}\n',
        b'{"verb": [1]}\n',
        b"\n",
        b"\xff\n",
        b'{"verb": "ps", "deep": ' + b"[" * 60000 + b"\n",
        b'{"verb": "wait", "goal": "idle", "timeout": NaN}\n',
        b'{"verb": "scale", "stage": "work", "replicas": "3"}\n',
        b'{"verb": "pause", "paused": 1}\n',
    ],
)
def test_what_is_no_question_is_refused_and_harms_nobody(stand: StandMaker, text: bytes) -> None:
    run = stand(make="well", work="well", save="well")

    def talk(it: client.Run) -> Any:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(f"{it.path}/control.sock")
            line.sendall(text)
            return json.loads(line.makefile().readline()), client.call(it, "ps")["state"]

    answer, state = ask(run, talk)
    assert (answer["ok"], answer["code"], state) == (False, 2, "running")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"verb": "tap", "links": [99], "rate": 1.0}, "a tap is of links that there are"),
        ({"verb": "tap", "links": [[0]], "rate": 1.0}, "a tap is of links that there are"),
        ({"verb": "tap", "links": [0], "rate": -1}, "more than 0 samples a second"),
        ({"verb": "record", "links": [[0]], "path": "/nowhere"}, "a recording is of links that there are"),
        ({"verb": "record", "links": [0], "path": "here"}, "a recording needs an absolute path"),
        ({"verb": "record"}, "record: "),
        ({"verb": "events", "since": 1}, "events: "),
    ],
)
def test_what_lasts_is_refused_in_one_sentence_when_it_is_asked_wrongly(
    stand: StandMaker, asked: dict[str, Any], said: str
) -> None:
    run = stand(make="well", work="well", save="well")

    def talk(it: client.Run) -> Any:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(f"{it.path}/control.sock")
            line.sendall(json.dumps(asked).encode() + b"\n")
            return json.loads(line.makefile().readline()), client.call(it, "ps")["state"]

    answer, state = ask(run, talk)
    assert (answer["ok"], state) == (False, "running")
    assert said in answer["error"]


def test_a_link_is_looked_at_by_one_at_a_time(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    def talk(it: client.Run) -> None:
        with client.tapped(it, [0, 0], 5.0), pytest.raises(UserError, match="make→work already"):
            client.tapped(it, [0], 5.0).__enter__()

    ask(run, talk)


def test_another_user_who_got_here_all_the_same_is_refused(
    stand: StandMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stand(make="well", work="well", save="well")
    monkeypatch.setattr(question, "asker", lambda line: os.getuid() + 1)

    def talk(it: client.Run) -> None:
        for verb in ("ps", "stop", "events", "attach", "explode"):
            with pytest.raises(UserError, match=f"{verb} is refused: the run is another user's"):
                client.call(it, verb)

    ask(run, talk)


def test_who_asks_is_known_from_the_kernel() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert question.asker(one) == os.getuid()


def test_a_question_without_an_end_is_dropped(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    def talk(it: client.Run) -> Any:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(f"{it.path}/control.sock")
            line.sendall(b"x" * 100_000)
            return json.loads(line.makefile().readline())["ok"]

    assert ask(run, talk) is False


def test_nothing_runs_where_nothing_runs() -> None:
    assert client.runs() == []
    with pytest.raises(NotRunning, match="no pipeline is running here; start one with"):
        client.find()


def test_another_name_is_told_what_runs(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    def talk(_: client.Run) -> None:
        with pytest.raises(NotRunning, match="vision is not running here; what runs is test"):
            client.find("vision")

    ask(run, talk)


def test_of_several_runs_one_must_be_chosen(stand: StandMaker) -> None:
    for _ in range(2):
        run = stand(make="well", save="well")
        run.run_dir.describe(pipeline="test", pid=1, started=1.0, app="", state_dir="")
    with pytest.raises(NotRunning, match=r"2 pipelines are running here: test-.*, test-.*; say which"):
        client.find()
    name = client.runs()[0].run
    assert client.find(name).run == name


def test_a_run_that_ended_meanwhile_does_not_answer(stand: StandMaker) -> None:
    run = stand(make="well", save="well")
    run.run_dir.describe(pipeline="test", pid=1, started=1.0, app="", state_dir="")
    found = client.find()
    run.run_dir.remove()
    with pytest.raises(NotRunning, match="test does not answer"):
        client.call(found, "ps")
