# mypy: disable-error-code="attr-defined, unused-awaitable"
"""Chains: each task is called with the result of the one before, and all stand and fall together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import penstock
import penstock.testing
from penstock import JobCancelled, JobContext, JobFailed, UserError, chain, group, task
from penstock.tasks.chain import Chained
from penstock.testing import InlineJobs


@task
def load(path: str) -> list[int]:
    if path == "missing":
        raise penstock.Reject(f"there is no {path}")
    return [len(path)] * 3


@task
def clean(numbers: list[int]) -> list[int]:
    return sorted(set(numbers))


@task(group="gpu")
def train(data: list[int], epochs: int = 1, rate: float = 0.1) -> dict[str, float]:
    return {"size": len(data), "epochs": epochs, "rate": rate}


@task
def score(ctx: JobContext, data: list[int], by: str) -> str:
    ctx.progress(0.5)
    return f"{by}{sum(data)}"


@task
def report(parts: list[str], title: str = "") -> str:
    return title + "+".join(parts)


@task(unique=True)
def single(data: list[int]) -> None: ...


@pytest.fixture
def jobs() -> Iterator[InlineJobs]:
    with penstock.testing.jobs() as made:
        yield made


def test_the_result_of_each_is_the_first_argument_of_the_next(jobs: InlineJobs) -> None:
    made = chain(load.call("abc"), clean, train.partial(epochs=3)).submit()
    assert made.result() == {"size": 1, "epochs": 3, "rate": 0.1}
    assert [row.task for row in jobs.rows] == ["load", "clean", "train"]
    assert asyncio.run(_awaited(made)) == made.result()


async def _awaited(job: Chained[dict[str, float]]) -> dict[str, float]:
    return await job


def test_a_chain_that_begins_with_a_bare_task_is_handed_its_arguments(jobs: InlineJobs) -> None:
    both = chain(load, clean)
    assert both.submit("ab").result() == [2]
    assert both.submit(path="abcd").result() == [4]


def test_a_group_in_a_chain_gets_the_same_and_gives_a_list(jobs: InlineJobs) -> None:
    parts = group([score.partial(by="a"), score.partial("b")])
    assert chain(load.call("x"), parts, report.partial(title="= ")).submit().result() == "= a3+b3"
    one = group([score.call([1, 2], by="c")])
    assert chain(one, report).submit().result() == "c3"


def test_all_are_on_disk_and_wait_by_name_before_anything_runs(jobs: InlineJobs) -> None:
    jobs.pause(["default"])
    made = chain(load.call("abc"), clean, clean).submit()
    assert [(row.state, row.after) for row in jobs.rows] == [
        ("ready", []), ("scheduled", [1]), ("scheduled", [2]),
    ]  # fmt: skip
    assert made.progress.part == 0
    jobs.resume(["default"])
    assert (made.state, made.progress.part) == ("done", 1.0)


def test_one_that_is_dead_speaks_for_the_chain_until_it_is_put_back(jobs: InlineJobs) -> None:
    made = chain(load.call("missing"), clean, train).submit()
    with pytest.raises(JobFailed, match="there is no missing") as caught:
        made.result()
    assert caught.value.cause == "rejected"
    with pytest.raises(JobCancelled, match=r"it needs job 1 \(load\), which is dead: .*there is no missing"):
        penstock.tasks.get(made.id).result()
    with pytest.raises(UserError, match="lacks the results of others: put those back"):
        made.jobs[1].retry(numbers=[1])
    assert made.retry(path="found")
    assert made.result()["size"] == 1


def test_to_cancel_a_chain_is_to_cancel_all_of_it(jobs: InlineJobs) -> None:
    jobs.pause(["default"])
    made = chain(load.call("abc"), clean, train).submit()
    assert made.cancel() == "cancelled"
    assert made.jobs.counts == {"cancelled": 3}
    jobs.resume(["default"])
    assert made.jobs.counts == {"cancelled": 3}
    assert made.retry()
    assert made.result()["epochs"] == 1


def test_what_was_passed_on_can_be_changed_for_another_try(jobs: InlineJobs) -> None:
    jobs.pause(["gpu"])
    made = chain(load.call("abc"), train.partial(epochs=2)).submit()
    made.cancel()
    last = made.jobs[-1]
    assert last.retry(data=[1, 2], rate=0.5)
    jobs.resume(["gpu"])
    assert last.result() == {"size": 2, "epochs": 2, "rate": 0.5}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: chain(load.call("x")), "a chain has two links at least"),
        (lambda: chain(load.call("x"), group([clean.partial()])), "a chain ends with one task"),
        (lambda: chain(load.call("x"), clean.call([1])), r"clean.call\(\) has all its arguments, .*partial"),
        (lambda: chain(load.call("x"), train.partial(epoch=3)), "'epoch'; did you mean 'epochs'"),
        (lambda: chain(load.call("x"), train.partial(data=[1])), "multiple values for argument 'data'"),
        (lambda: chain(load.call("x"), single), r"unique= of single .* say single.options\(unique=False\)"),
        (lambda: chain(load.call("x"), clean).submit("y"), "has its arguments already"),
        (lambda: chain(load, clean).submit(), "missing a required argument: 'path'"),
        (lambda: chain(clean.partial(), clean).submit(), "clean is the first link, so it lacks an argument"),
        (lambda: group([clean.partial()]).submit(), r"lacks its first argument: say it with call\(\)"),
    ],
)
def test_links_that_do_not_fit_are_refused_with_their_line(
    jobs: InlineJobs, wrong: object, sentence: str
) -> None:
    with pytest.raises(UserError, match=rf"test_chain\.py:\d+: .*{sentence}"):
        wrong()  # type: ignore[operator]
    assert jobs.rows == []
