# mypy: disable-error-code="unused-awaitable"
from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from penstock import JobCancelled, JobFailed, TimedOut, UserError, group, task
from penstock.errors import BrokerFault
from penstock.tasks.desk import JobState
from penstock.tasks.freight import packed
from penstock.tasks.job import Claim
from penstock.tasks.local import LocalDesk
from penstock.tasks.settle import Closing, Done, Failed, Outcome
from penstock.tasks.store import Word


@task(max_failures=0)
def double(number: int) -> int:
    return 2 * number


@task
def name(of: int) -> str:
    return str(of)


def claim(jobs: LocalDesk) -> Claim:
    with jobs.writing() as store:
        return store.claim("a worker", "default")[0]


def close(jobs: LocalDesk, claimed: Claim, outcome: Outcome) -> None:
    with jobs.writing() as store:
        store.close_attempts([Closing(claimed.id, claimed.fence, outcome)])


def test_results_come_in_the_order_of_the_calls_whatever_ends_first(jobs: LocalDesk) -> None:
    submitted = double.submit_many(double.call(number) for number in range(3))
    claims = [claim(jobs) for _ in range(3)]
    for number in (2, 0, 1):
        close(jobs, claims[number], Done(packed(2 * number)))
    assert submitted.results() == [0, 2, 4]
    assert (len(submitted), submitted[1], submitted[1:]) == (3, submitted[1], [submitted[1], submitted[2]])


def test_each_comes_as_it_is_done(jobs: LocalDesk) -> None:
    submitted = double.submit_many(double.call(number) for number in range(2))
    claims = [claim(jobs) for _ in range(2)]
    coming = submitted.as_completed("30s")
    close(jobs, claims[1], Done(packed(2)))
    assert next(coming) == submitted[1]
    close(jobs, claims[0], Done(packed(0)))
    assert list(coming) == [submitted[0]]


def test_the_first_failure_is_raised_though_others_still_run(jobs: LocalDesk) -> None:
    submitted = double.submit_many(double.call(number) for number in range(3))
    close(jobs, claim(jobs), Failed("error", "ValueError: odd"))
    with pytest.raises(JobFailed, match="ValueError: odd"):
        submitted.results()
    assert submitted.counts == {"dead": 1, "ready": 2}


def test_results_can_be_awaited_and_the_first_failure_is_raised(jobs: LocalDesk) -> None:
    async def awaited(outcomes: Sequence[Outcome]) -> list[int]:
        submitted = double.submit_many(double.call(number) for number in range(2))

        async def wait() -> list[int]:
            return await submitted

        waiting = asyncio.ensure_future(wait())
        for outcome in outcomes:
            await asyncio.to_thread(lambda: close(jobs, claim(jobs), outcome))  # noqa: B023  awaited
        return await waiting

    assert asyncio.run(awaited([Done(packed(0)), Done(packed(2))])) == [0, 2]
    with pytest.raises(JobFailed, match="ValueError: odd"):
        asyncio.run(awaited([Failed("error", "ValueError: odd")]))


def test_who_waits_already_waits_on_while_nobody_can_say(
    jobs: LocalDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = double.submit_many(double.call(number) for number in range(2))
    coming = submitted.as_completed("30s")
    close(jobs, claim(jobs), Done(packed(0)))
    assert next(coming) == submitted[0]
    looked = jobs.states

    def away(ids: Sequence[str]) -> list[JobState]:
        monkeypatch.setattr(jobs, "states", looked)
        if not submitted[1].attempts:
            close(jobs, claim(jobs), Done(packed(2)))
        raise BrokerFault("nobody who keeps the store has answered")

    monkeypatch.setattr(jobs, "states", away)
    double.submit(2)  # there is news, so it looks again
    assert list(coming) == [submitted[1]]
    monkeypatch.setattr(jobs, "states", away)
    with pytest.raises(BrokerFault):
        submitted.results()


def test_progress_counts_what_is_over_and_what_runs_as_far_as_it_is(jobs: LocalDesk) -> None:
    submitted = double.submit_many(double.call(number) for number in range(4))
    close(jobs, claim(jobs), Done(packed(0)))
    half = claim(jobs)
    with jobs.writing() as store:
        store.note([Word(half.id, half.fence, 0.5)])
    progress = submitted.progress
    assert (progress.part, progress.numbers) == (0.375, {"done": 1, "running": 1, "ready": 2})
    assert double.submit_many([]).progress.part == 1.0


def test_all_are_cancelled_as_one(jobs: LocalDesk) -> None:
    submitted = double.submit_many(double.call(number) for number in range(3))
    submitted.cancel()
    assert submitted.counts == {"cancelled": 3}
    with pytest.raises(JobCancelled):
        submitted.results()


def test_a_wait_that_is_too_short_says_how_many_are_missing(jobs: LocalDesk) -> None:
    submitted = double.submit_many(double.call(number) for number in range(3))
    close(jobs, claim(jobs), Done(packed(0)))
    with pytest.raises(TimedOut, match="after 10ms 2 of 3 jobs are not done"):
        submitted.results("10ms")


def test_a_group_has_calls_of_several_tasks_each_with_its_own_options(jobs: LocalDesk) -> None:
    submitted = group([double.call(1), name.options(priority=5).call(2)]).submit()
    assert [(job.row.task, job.row.priority) for job in submitted] == [("double", 0), ("name", 5)]
    close(jobs, claim(jobs), Done(packed("2")))
    close(jobs, claim(jobs), Done(packed(2)))
    assert submitted.results() == [2, "2"]


def test_a_group_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="a group needs calls"):
        group([]).submit()
