# mypy: disable-error-code="unused-awaitable"
from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from penstock import Job, JobCancelled, JobFailed, TimedOut, task, tasks
from penstock.errors import UserError
from penstock.tasks.freight import packed
from penstock.tasks.handle import NoSuchJob
from penstock.tasks.home import Home
from penstock.tasks.job import Claim
from penstock.tasks.local import LocalDesk
from penstock.tasks.settle import Closing, Done, Ended, Failed, Outcome
from penstock.tasks.store import Store, Word
from penstock.tasks.wake import NEWS, ring


@dataclass
class Score:
    accuracy: float


@task(max_failures=0)
def train(model: str) -> Score:
    return Score(1.0)


class Hand:
    """Does by hand what a supervisor does, by a connection of its own as any other process."""

    def __init__(self, home: Home) -> None:
        self.path, self.bells = home.store, home.bells

    def claim(self) -> Claim:
        store = Store(self.path)
        (claim,) = store.claim("a worker", "default")
        store.close()
        return claim

    def note(self, claim: Claim, part: float, **numbers: float) -> None:
        store = Store(self.path)
        store.note([Word(claim.id, claim.fence, part, numbers)])
        store.close()
        ring(self.bells, NEWS)

    def close(self, claim: Claim, outcome: Outcome, **more: Any) -> None:
        store = Store(self.path)
        store.close_attempts([Closing(claim.id, claim.fence, outcome, **more)])
        store.close()
        ring(self.bells, NEWS)


@pytest.fixture
def hand(jobs: LocalDesk) -> Hand:
    return Hand(jobs.home)


BROKEN = Failed(
    "error", "ValueError: no such model", ("ValueError",), "Traceback ...\nValueError: no such model"
)


def test_the_result_is_what_the_annotation_names(hand: Hand) -> None:
    job = train.submit("vgg")
    hand.close(hand.claim(), Done(packed(Score(0.5))))
    assert job.state == "done"
    assert job.result() == Score(0.5)
    assert tasks.get(job.id).result() == {"accuracy": 0.5}


def test_a_time_without_a_unit_is_an_error_of_whoever_waits(hand: Hand) -> None:
    with pytest.raises(UserError, match=r"10 is not a time; .* did you mean '10s'"):
        train.submit("vgg").result(timeout=10)  # type: ignore[arg-type]


def test_a_job_without_a_result_gives_none(hand: Hand) -> None:
    job = train.submit("vgg")
    hand.close(hand.claim(), Done())
    assert job.result() is None


def test_waiting_ends_when_another_process_has_done_it(hand: Hand) -> None:
    job = train.submit("vgg")
    other = threading.Thread(target=lambda: hand.close(hand.claim(), Done(packed(Score(1.0)))))
    other.start()
    assert job.result("30s") == Score(1.0)
    other.join()


def test_a_result_can_be_awaited(hand: Hand) -> None:
    job = train.submit("vgg")

    async def both() -> Score:
        waiting = asyncio.ensure_future(_awaited(job))
        await asyncio.to_thread(lambda: hand.close(hand.claim(), Done(packed(Score(0.25)))))
        return await waiting

    assert asyncio.run(both()) == Score(0.25)


async def _awaited(job: Job[Score]) -> Score:
    return await job


@pytest.mark.usefixtures("jobs")
def test_a_wait_that_is_too_short_says_what_the_job_does() -> None:
    job = train.submit("vgg")
    with pytest.raises(TimedOut, match=rf"after 10ms job {job.id} is ready"):
        job.result("10ms")


def test_a_dead_job_raises_with_its_cause_and_traceback(hand: Hand) -> None:
    job = train.submit("vgg")
    hand.close(hand.claim(), BROKEN)
    with pytest.raises(JobFailed, match=r"\(train\) is dead after 1 failure: ValueError: no such") as caught:
        job.result()
    assert (caught.value.job, caught.value.cause) == (job.id, "error")
    assert caught.value.traceback.startswith("Traceback")


def test_a_cancelled_job_raises_so_whoever_cancels_it(hand: Hand) -> None:
    job = train.submit("vgg")
    assert job.cancel() == "cancelled"
    with pytest.raises(JobCancelled, match=job.id):
        job.result()


@pytest.mark.usefixtures("jobs")
def test_a_thread_that_waits_learns_of_a_cancel_in_its_own_process() -> None:
    job = train.submit("vgg")
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            job.result("30s")
        except BaseException as error:  # noqa: BLE001  it is looked at below
            outcome.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    job.cancel()
    waiting.join()
    assert isinstance(outcome[0], JobCancelled)


def test_a_running_job_is_cancelled_when_it_has_ended(hand: Hand) -> None:
    job = train.submit("vgg")
    claim = hand.claim()
    assert job.cancel() == "running"
    hand.close(claim, Ended())
    assert job.state == "cancelled"


def test_a_dead_job_is_put_back_with_all_its_tries(hand: Hand) -> None:
    job = train.submit("vgg")
    hand.close(hand.claim(), BROKEN)
    assert (job.retry(), job.state, job.row.failures) == (True, "ready", 0)
    assert job.retry() is False


def test_progress_is_what_was_said_last(hand: Hand) -> None:
    job = train.submit("vgg")
    assert (job.progress.part, job.progress.numbers) == (0.0, {})
    hand.note(hand.claim(), 0.4, loss=0.1)
    said = job.progress
    assert (said.part, said.numbers) == (0.4, {"loss": 0.1})


def test_iterating_shows_each_change_and_ends_with_the_job(hand: Hand) -> None:
    job = train.submit("vgg")
    states = []
    for row in job:
        states.append(row.state)
        if row.state == "ready":
            claim = hand.claim()
        elif row.progress is None:
            hand.note(claim, 0.5)
        elif row.state == "running":
            hand.close(claim, Done())
    assert states == ["ready", "running", "running", "done"]


def test_logs_are_those_of_all_attempts_and_their_end_when_a_file_is_gone(
    jobs: LocalDesk, hand: Hand
) -> None:
    job = train.options(max_failures=3, backoff="0s").submit("vgg")
    hand.close(hand.claim(), BROKEN, log="/nowhere.log", tail="the end of it\n")
    second = jobs.home.log(job.id, 2)
    os.makedirs(os.path.dirname(second))
    hand.claim()
    with open(second, "w") as file:
        file.write("epoch 1\n")
    assert job.logs() == "the end of it\nepoch 1\n"
    assert job.logs(attempt=2) == "epoch 1\n"
    assert [attempt.outcome for attempt in job.attempts] == ["failed"]


def test_a_job_is_found_by_its_number_and_its_id(jobs: LocalDesk) -> None:
    job = train.submit("vgg")
    assert tasks.get("1") == tasks.get(job.id) == job
    assert len({job, tasks.get(job.id)}) == 1
    with pytest.raises(NoSuchJob, match="there is no job 17 in "):
        tasks.get("17")
