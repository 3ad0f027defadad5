# mypy: disable-error-code="unused-awaitable"
from __future__ import annotations

import pytest

from penstock import JobCancelled, JobFailed, TimedOut, UserError, group, task
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
