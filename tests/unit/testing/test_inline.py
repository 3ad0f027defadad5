# mypy: disable-error-code="attr-defined, unused-awaitable"
from __future__ import annotations

import asyncio
import datetime
import os
from dataclasses import dataclass

import pytest

import penstock.testing
from penstock import Context, JobFailed, Reject, Retry, TimedOut, UserError, task
from penstock.tasks.context import JobContext

CALLS: list[object] = []


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


@dataclass
class Score:
    accuracy: float


@task
def train(model: str, data: list[int]) -> Score:
    CALLS.append(data)
    return Score(len(data) / 10)


@task(max_failures=2, backoff="10s")
def flaky(good: int) -> int:
    CALLS.append(good)
    if len(CALLS) < good:
        raise ValueError("not yet")
    return len(CALLS)


@task(retry_on=OSError, backoff="1s")
def only_some(kind: str) -> None:
    CALLS.append(kind)
    raise ConnectionResetError if kind == "reset" and len(CALLS) < 3 else KeyError(kind)


@task
async def fetch(url: str) -> str:
    await asyncio.sleep(0)
    return url.upper()


@task
class Model:
    def setup(self, ctx: Context) -> None:
        CALLS.append("setup")

    def __call__(self, ctx: JobContext, item: int) -> int:
        ctx.progress(0.5, item=item)
        return item


@task
def outer() -> str:
    return fetch.submit("inner").id


@task
def steps(ctx: JobContext) -> int:
    start = ctx.resume.step if ctx.resume else 0
    ctx.checkpoint("memory:x", start + 1)
    if start < 2:
        raise Retry(after="1h")
    return start


@task
def writes(ctx: JobContext) -> None:
    with open(os.path.join(ctx.out_dir, "model.txt"), "w") as file:
        file.write("weights")


@task
def refuses() -> None:
    raise Reject("never")


def test_a_job_has_run_when_submit_returns_on_a_copy_of_its_arguments() -> None:
    data = [1, 2, 3]
    with penstock.testing.jobs():
        job = train.submit("vgg", data)
        assert (job.state, job.result()) == ("done", Score(0.3))
    assert CALLS == [[1, 2, 3]] and CALLS[0] is not data


def test_async_code_and_classes_run_as_in_a_worker() -> None:
    with penstock.testing.jobs():
        assert fetch.submit("a").result() == "A"
        assert [job.result() for job in (Model.submit(1), Model.submit(2))] == [1, 2]
        assert Model.submit(3).progress.numbers == {"item": 3.0}
    assert CALLS == ["setup"]


def test_a_failure_is_tried_again_when_the_clock_is_there() -> None:
    with penstock.testing.jobs() as jobs:
        job = flaky.submit(3)
        assert (job.state, job.row.failures, len(CALLS)) == ("scheduled", 1, 1)
        jobs.advance("9s")
        assert len(CALLS) == 1
        jobs.advance("1s")
        assert (job.state, len(CALLS)) == ("scheduled", 2)
        jobs.advance("20s")
        assert job.result() == 3


def test_waiting_lets_the_time_pass_until_it_is_done_or_dead() -> None:
    with penstock.testing.jobs():
        assert flaky.submit(2).result() == 2
        CALLS.clear()
        with pytest.raises(JobFailed, match="dead after 3 failures: ValueError: not yet") as caught:
            flaky.submit(9).result()
        assert "raise ValueError" in caught.value.traceback
        assert asyncio.run(_awaited()) == "B"


async def _awaited() -> str:
    return await fetch.submit_many([fetch.call("b")])[0]


def test_a_class_of_exceptions_in_retry_on_means_those_derived_from_it() -> None:
    with penstock.testing.jobs():
        with pytest.raises(JobFailed, match="dead after 3 failures: KeyError"):
            only_some.submit("reset").result()
        CALLS.clear()
        with pytest.raises(JobFailed, match="dead after 1 failure: KeyError"):
            only_some.submit("other").result()


def test_what_is_for_later_runs_when_it_is_due() -> None:
    with penstock.testing.jobs() as jobs:
        job = train.options(delay="10m").submit("vgg", [])
        with pytest.raises(TimedOut):
            job.result("1m")
        assert CALLS == []
        jobs.advance("10m")
        assert job.state == "done"


def test_a_job_may_submit_another() -> None:
    with penstock.testing.jobs() as jobs:
        inner = outer.submit().result()
        assert [(row.task, row.state) for row in jobs.rows] == [("outer", "done"), ("fetch", "done")]
        assert inner == jobs.rows[1].id


def test_checkpoints_and_files_are_there_as_in_a_worker() -> None:
    with penstock.testing.jobs() as jobs:
        assert steps.submit().result() == 2
        job = writes.submit()
        assert os.listdir(jobs.home.out(job.id)) == ["model.txt"]
    assert not os.path.exists(jobs.home.out(job.id))


def test_wrong_arguments_and_rejects_are_what_they_are() -> None:
    with penstock.testing.jobs():
        with pytest.raises(UserError, match="model=3 is not a str"):
            train.submit(3, [])  # type: ignore[arg-type]
        with pytest.raises(JobFailed, match="dead after 1 failure"):
            refuses.submit().result()


def test_many_are_waited_for_as_one_and_a_paused_group_waits() -> None:
    with penstock.testing.jobs() as jobs:
        assert fetch.submit_many(fetch.call(url) for url in "ab").results() == ["A", "B"]
        with jobs.writing() as store:
            store.pause("default")
        job = fetch.submit("c")
        with pytest.raises(TimedOut, match="the group is paused"):
            job.result()
        with jobs.writing() as store:
            store.resume("default")
        assert job.state == "done"


@task(every="1h")
def beats(ctx: JobContext) -> None:
    CALLS.append(ctx.id)


@task(cron="30 2 * * *", timezone="Europe/Paris", max_failures=0)
def nightly() -> None:
    CALLS.append("night")
    raise ValueError("no report")


def test_ticks_come_as_the_clock_is_put_forward() -> None:
    noon = datetime.datetime(2026, 3, 27, 12, 30, tzinfo=datetime.UTC)
    with penstock.testing.jobs(now=noon) as jobs:
        jobs.schedule(beats)
        jobs.advance("29m")
        assert CALLS == []
        jobs.advance("3h")
        assert len(set(CALLS)) == 3
        CALLS.clear()
        jobs.schedule(nightly)
        jobs.advance("3d")
        assert CALLS == ["night"] * 3
        assert [row.state for row in jobs.rows if row.task == "nightly"] == ["dead"] * 3 + ["scheduled"]
