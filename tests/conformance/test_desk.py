"""The same promises to whoever hands in jobs and looks after them, wherever the store is: on this machine, or
behind a broker."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from penstock.rabbitmq import asks
from penstock.rabbitmq.desk import RabbitDesk
from penstock.rabbitmq.url import parse
from penstock.tasks.desk import Desk
from penstock.tasks.filter import Filter
from penstock.tasks.freight import packed
from penstock.tasks.home import Home
from penstock.tasks.job import Claim, NewJob, Rules
from penstock.tasks.local import LocalDesk
from penstock.tasks.settle import Closing, Done, Failed, Outcome, Returned
from penstock.tasks.store import Store, Word
from penstock.tasks.wake import NEWS, ring
from tests.hub import Hub, hub, prepare
from tests.jobs import until
from tests.rabbit import Shared

RULES = Rules(max_failures=0)


class Counter(NamedTuple):
    """A desk, and the store behind it, as whoever runs the jobs has it."""

    desk: Desk
    home: Home
    hub: Hub | None

    def submit(self, task: str, count: int = 1, **more: Any) -> list[str]:
        """Jobs of that name, once the store has them."""
        jobs = [NewJob("default", task, packed([[number], {}]), rules=RULES) for number in range(count)]
        ids = self.desk.submit([_with(job, more) for job in jobs])
        until(lambda: self.desk.job(ids[-1]), "it is in the store")
        return ids

    def claim(self, *ids: str) -> list[Claim]:
        """Take these, as a supervisor does; all others are given back."""
        store = Store(self.home.store)
        found = {claim.id: claim for claim in store.claim("a worker", "default", 100_000)}
        others = [claim for id, claim in found.items() if id not in ids]
        store.close_attempts([Closing(each.id, each.fence, Returned(begun=False)) for each in others])
        store.close()
        return [found[id] for id in ids]

    def note(self, claim: Claim, part: float) -> None:
        """Say how far it is."""
        store = Store(self.home.store)
        store.note([Word(claim.id, claim.fence, part, {"loss": 0.5})])
        store.close()
        self._ring()

    def end(self, claims: Sequence[Claim], outcome: Outcome, tail: str = "") -> None:
        """They have come to that."""
        store = Store(self.home.store)
        store.close_attempts([Closing(each.id, each.fence, outcome, "w", 7, "", tail) for each in claims])
        store.close()
        self._ring()

    def run(self, id: str, outcome: Outcome) -> None:
        """All of it."""
        self.end(self.claim(id), outcome)

    def _ring(self) -> None:
        ring(self.home.bells, NEWS)
        if self.hub is not None:
            self.hub.ring()


def _with(job: NewJob, more: dict[str, Any]) -> NewJob:
    return msgspec.structs.replace(job, **more)


@pytest.fixture(scope="module", params=["sqlite", "rabbitmq"])
def counter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    """One for all tests of it: each has tasks of its own."""
    home = Home(str(tmp_path_factory.mktemp("desk") / "jobs.db"))
    with contextlib.ExitStack() as ground:
        found: Hub | None = None
        desk: Desk = LocalDesk(home)
        if request.param == "rabbitmq":
            rabbit: Shared = request.getfixturevalue("rabbit")
            url = rabbit.url(ground.enter_context(rabbit.vhost()))
            prepare(url, "default", "gpu")
            found = ground.enter_context(hub(url, Path(home.store), "default", "gpu"))
            desk = RabbitDesk(parse(url), patience=60.0)
        else:
            with desk.writing() as store:  # type: ignore[attr-defined]
                store.add_group("default")
                store.add_group("gpu")
        ground.callback(desk.close)
        yield Counter(desk, home, found)


def test_a_job_is_found_by_its_id_its_number_and_the_beginning_of_its_id(counter: Counter) -> None:
    (id,) = counter.submit("found")
    row = counter.desk.job(id)
    assert row is not None and (row.id, row.task, row.state) == (id, "found", "ready")
    assert counter.desk.job(str(row.seq)) == row
    assert counter.desk.find(id) == counter.desk.find(str(row.seq)) == [id]
    assert id in counter.desk.find(id[:8])
    assert counter.desk.find("zebra") == [] and counter.desk.job("zebra") is None


def test_jobs_are_listed_by_what_they_are_like_the_newest_first(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asks, "MOST", 3)  # so that an answer has not room for all
    ids = counter.submit("listed", 8)
    found = counter.desk.jobs(Filter(task="listed"))
    assert [row.id for row in found] == ids[::-1]
    assert counter.desk.jobs(Filter(task="listed"), limit=5) == found[:5]
    assert counter.desk.jobs(Filter(task="listed", states=("dead",))) == []


def test_how_many_stand_is_told_at_once_and_strangers_are_left_out(counter: Counter) -> None:
    first, second = counter.submit("stands", 2)
    (claim,) = counter.claim(first)
    counter.note(claim, 0.25)
    old = "00000000-0000-7000-8000-000000000000"
    stands = {each.id: each for each in counter.desk.states([first, second, old])}
    assert stands[first][1:] == ("running", 0.25)
    assert stands[second][1:] == ("ready", None)
    assert old not in stands
    counter.end([claim], Done())


def test_results_come_in_the_order_they_are_asked_for(counter: Counter) -> None:
    ids = counter.submit("results", 3)
    counter.run(ids[2], Done(packed("third")))
    counter.run(ids[0], Done(packed("first")))
    assert counter.desk.results(ids) == [packed("first"), None, packed("third")]


def test_large_results_come_too_though_not_all_at_once(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.rabbitmq.answers.LARGEST", 250_000)
    ids = counter.submit("large", 4)
    for id in ids:
        counter.run(id, Done(packed(bytes(100_000))))
    assert [len(body or b"") > 100_000 for body in counter.desk.results(ids)] == [True] * 4


def test_arguments_are_what_was_handed_in_and_may_be_changed_with_another_try(counter: Counter) -> None:
    (id,) = counter.submit("argued")
    assert counter.desk.arguments(id) == packed([[0], {}])
    assert counter.desk.amend(id, packed([[1], {}])) is False
    counter.run(id, Failed("error", "ValueError: no", (), "Traceback ..."))
    assert counter.desk.amend(id, packed([[1], {}])) is True
    assert counter.desk.arguments(id) == packed([[1], {}])
    assert counter.desk.states([id])[0].state == "ready"


def test_an_attempt_leaves_why_it_failed_and_the_end_of_what_it_printed(counter: Counter) -> None:
    (id,) = counter.submit("attempted")
    counter.end(counter.claim(id), Failed("error", "ValueError: no", (), "Traceback ..."), "epoch 1\n")
    (attempt,) = counter.desk.attempts(id)
    assert (attempt.outcome, attempt.error, attempt.traceback) == (
        "failed",
        "ValueError: no",
        "Traceback ...",
    )
    assert counter.desk.logs(id) == counter.desk.logs(id, 1) == "epoch 1\n"
    assert counter.desk.logs(id, 2) == ""


def test_only_what_is_not_over_is_cancelled(counter: Counter) -> None:
    waiting, running, over = counter.submit("cancelled", 3)
    counter.run(over, Done())
    (claim,) = counter.claim(running)
    assert counter.desk.cancel([waiting, running, over]) == [waiting, running]
    found = counter.desk.job(running)
    assert found is not None and (found.state, found.cancel) == ("running", True)
    assert {each.id: each.state for each in counter.desk.states([waiting, over])} == {
        waiting: "cancelled",
        over: "done",
    }
    counter.end([claim], Done())


def test_only_dead_and_cancelled_ones_are_put_back(counter: Counter) -> None:
    dead, done, waiting = counter.submit("requeued", 3)
    counter.run(dead, Failed("error", "ValueError: no"))
    counter.run(done, Done())
    assert counter.desk.requeue([dead, done, waiting]) == [dead]


def test_only_what_is_over_is_removed(counter: Counter) -> None:
    done, waiting = counter.submit("removed", 2)
    counter.run(done, Done())
    assert counter.desk.remove([done, waiting]) == [done]
    assert [row.id for row in counter.desk.jobs(Filter(task="removed"))] == [waiting]


def test_a_paused_group_says_why_and_goes_on(counter: Counter) -> None:
    counter.desk.pause(["gpu"], "the driver is being changed")
    assert {each.group: each.paused for each in counter.desk.queues()}["gpu"] == "the driver is being changed"
    counter.desk.resume(["gpu"])
    assert {each.group: each.paused for each in counter.desk.queues()}["gpu"] == ""


def test_queues_and_figures_count_by_state(counter: Counter) -> None:
    counter.submit("counted", 2)
    (queue,) = (each for each in counter.desk.queues() if each.group == "default")
    assert queue.counts["ready"] >= 2 and queue.oldest is not None
    assert [each[2:] for each in counter.desk.figures() if each.task == "counted"] == [("ready", 2, None)]


def test_what_has_a_key_is_the_live_job_with_that_key(counter: Counter) -> None:
    (first,) = counter.submit("keyed", unique="keyed:1")
    (second,) = counter.submit("keyed", unique="keyed:1")
    rows = [counter.desk.job(id) for id in (first, second)]
    assert [row.id for row in rows if row] == [first, first]
    assert [each[:2] for each in counter.desk.states([second])] == [(second, "ready")]
    assert counter.desk.cancel([second]) == [second]
    (third,) = counter.submit("keyed", unique="keyed:1")
    found = counter.desk.job(third)
    assert found is not None and found.id == third


def test_what_needs_the_result_of_another_waits_for_that(counter: Counter) -> None:
    first = NewJob("default", "linked", packed([[1], {}]), rules=RULES)
    second = NewJob("default", "linked", packed([[], {}]), rules=RULES, needs=[first.id])
    assert counter.desk.submit([first, second]) == [first.id, second.id]
    assert {each[:2] for each in counter.desk.states([first.id, second.id])} == {
        (first.id, "ready"),
        (second.id, "scheduled"),
    }
    counter.run(first.id, Done(packed(7)))
    assert counter.desk.states([second.id])[0].state == "ready"


def test_what_is_for_later_waits_for_its_time(counter: Counter) -> None:
    (id,) = counter.submit("later", run_at=counter.desk.now() + 3_600_000)
    assert counter.desk.states([id])[0].state == "scheduled"


def test_who_watches_hears_that_something_has_become_of_a_job(counter: Counter) -> None:
    (id,) = counter.submit("watched")
    (claim,) = counter.claim(id)
    with counter.desk.watch() as watch:
        assert counter.desk.states([id])[0].state == "running"
        other = threading.Thread(target=counter.end, args=([claim], Done()))
        other.start()
        while counter.desk.states([id])[0].state == "running":
            watch.wait(60)
        other.join()


def test_who_has_an_event_loop_hears_it_too(counter: Counter) -> None:
    (id,) = counter.submit("heard")
    (claim,) = counter.claim(id)

    async def wait() -> None:
        with counter.desk.watch() as watch:
            ending = asyncio.create_task(asyncio.to_thread(counter.end, [claim], Done()))
            while (await asyncio.to_thread(counter.desk.states, [id]))[0].state == "running":
                await watch.heard()
            await ending

    asyncio.run(wait())
