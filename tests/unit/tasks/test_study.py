# mypy: disable-error-code="attr-defined, unused-awaitable"
"""Studies: jobs that are found again by name, whoever began them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import optuna
import pytest

import penstock
import penstock.testing
from penstock import Context, EnvironmentFault, Trial, UserError, between, sweep, task
from penstock.errors import BrokerFault
from penstock.tasks.filter import Filter
from penstock.tasks.job import JobRow
from penstock.tasks.study import Study
from penstock.testing import InlineJobs


@task(max_failures=0)
def train(ctx: Context, lr: float, depth: int = 1, epochs: int = 1) -> dict[str, float]:
    if lr < 0:
        raise penstock.Reject("no such rate")
    ctx.progress(0.5, loss=lr)
    return {"loss": abs(lr - 0.3) + depth, "epochs": epochs}


@task
def plain(x: float) -> float:
    return (x - 2) ** 2


@pytest.fixture
def jobs() -> Iterator[InlineJobs]:
    with penstock.testing.jobs() as made:
        yield made


def test_all_combinations_are_tried_and_the_best_is_known(jobs: InlineJobs) -> None:
    study = sweep(train, {"lr": [0.1, 0.3, 0.9], "depth": [1, 2], "epochs": 5}, metric="loss")
    trials = study.results()
    assert len(trials) == len(jobs.rows) == 6
    assert study.best is not None
    assert study.best.params == {"lr": 0.3, "depth": 1, "epochs": 5}
    assert (study.best.value, study.best.job.result()["epochs"]) == (1.0, 5)
    assert study.progress == (1.0, {"done": 6})


def test_a_number_needs_no_metric_and_more_may_be_better(jobs: InlineJobs) -> None:
    study = sweep(plain, {"x": range(6)}, mode="max")
    assert study.best is not None and (study.best.params, study.best.value) == ({"x": 5}, 9.0)


def test_one_that_is_dead_does_not_end_a_study(jobs: InlineJobs) -> None:
    study = sweep(train, {"lr": [-1.0, 0.3]}, metric="loss")
    assert [trial.state for trial in study.results()] == ["dead", "done"]
    assert [trial.number for trial in study] == [0, 1]


def test_who_waits_for_a_study_waits_on_while_nobody_can_say(
    jobs: InlineJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    coming = iter(sweep(plain, {"x": range(3)}, parallel=1))
    assert next(coming).number == 0
    plain.options(delay="1m").submit(0.0)  # something else that happens, so that it looks again
    looked = jobs.jobs

    def away(*args: Any, **named: Any) -> list[JobRow]:
        monkeypatch.setattr(jobs, "jobs", looked)
        raise BrokerFault("nobody who keeps the store has answered")

    monkeypatch.setattr(jobs, "jobs", away)
    assert [trial.number for trial in coming] == [1, 2]
    monkeypatch.setattr(jobs, "jobs", away)
    with pytest.raises(BrokerFault):
        sweep(plain, {"x": range(3)})


def test_a_study_of_the_same_name_goes_on_where_it_was(jobs: InlineJobs) -> None:
    space = {"x": between(0.0, 4.0)}
    first = sweep(plain, space, n=5, name="x", parallel=2)
    jobs.pause(["default"])
    again = sweep(plain, space, n=8, name="x", parallel=2)
    before = {trial.number: trial.params for trial in first.trials}
    jobs.resume(["default"])
    trials = again.results()
    assert len(trials) == len(jobs.rows) == 8
    assert {trial.number: trial.params for trial in trials if trial.number in before} == before
    assert len({trial.params["x"] for trial in trials}) == 8
    assert {row.by for row in jobs.rows} == {"study x"}
    assert len(jobs.jobs(Filter(by="study x"))) == 8 and jobs.jobs(Filter(by="study y")) == []


def test_no_more_than_so_many_wait_or_run_at_once(jobs: InlineJobs) -> None:
    jobs.pause(["default"])
    study = sweep(plain, {"x": [1, 2, 3, 4, 5]}, parallel=2)
    assert [len(study.trials), len(jobs.rows)] == [2, 2]
    jobs.resume(["default"])
    assert len(study.results()) == 5


def test_a_study_is_awaited_and_cancelled(jobs: InlineJobs) -> None:
    async def waited(study: Study[float]) -> list[Trial[float]]:
        return await study

    assert len(asyncio.run(waited(sweep(plain, {"x": [1, 2, 3]}, parallel=1)))) == 3
    jobs.pause(["default"])
    study = sweep(plain, {"x": [1, 2, 3]}, parallel=2)
    study.cancel()
    assert [trial.state for trial in study.results()] == ["cancelled"] * 2


def test_optuna_chooses_and_is_told_what_came_of_it(jobs: InlineJobs) -> None:
    study = sweep(plain, {"x": between(-10.0, 10.0)}, n=25, sampler="tpe", seed=3, parallel=1)
    study.results()
    assert study.best is not None and study.best.value is not None and study.best.value < 4
    theirs = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    sweep(plain, {"x": between(1, 9)}, n=6, sampler=theirs, name="theirs").results()
    assert [trial.state.name for trial in theirs.trials] == ["COMPLETE"] * 6
    assert theirs.best_value == min(trial.value for trial in theirs.trials if trial.value is not None)


def test_optuna_is_told_of_what_others_have_tried(jobs: InlineJobs) -> None:
    space = {"x": between(0.0, 4.0)}
    sweep(plain, space, n=4, name="x").results()
    theirs = optuna.create_study()
    sweep(plain, space, n=6, name="x", sampler=theirs).results()
    assert [trial.state.name for trial in theirs.trials] == ["COMPLETE"] * 6


def test_without_optuna_the_sentence_says_what_to_install(
    jobs: InlineJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'penstock\[sweep\]'"):
        sweep(plain, {"x": [1]}, sampler="tpe")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"space": {"lt": [1]}}, r"train: got an unexpected keyword argument 'lt'; there is .* 'lr'"),
        ({"space": {"depth": [1]}}, "missing a required argument: 'lr'"),
        ({"space": {"lr": between(0.0, 1.0)}}, "any number is possible here: say n="),
        ({"n": 0}, "n=0: must be a whole number"),
        ({"mode": "best"}, 'mode=\'best\': must be "min" or "max"'),
        ({"parallel": 0}, "parallel=0: must be"),
        ({"name": "a b"}, "name='a b': a name is made of"),
        ({"sampler": 3}, 'sampler=3: must be "tpe"'),
        ({"stop": "meidan"}, "stop='meidan': must be \"median\", a pruner of Optuna, or None"),
    ],
)
def test_what_makes_no_study_is_refused_with_its_line(
    jobs: InlineJobs, said: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=rf"test_study\.py:\d+: .*{sentence}"):
        sweep(train, **{"space": {"lr": [0.1]}, **said})
    assert jobs.rows == []


def test_a_result_without_the_metric_says_what_it_has(jobs: InlineJobs) -> None:
    with pytest.raises(UserError, match="what train returns has no number 'los'; it has loss, epochs"):
        sweep(train, {"lr": [0.1]}, metric="los").results()
    with pytest.raises(UserError, match="is no number: say metric="):
        sweep(train, {"lr": [0.1]}).results()
