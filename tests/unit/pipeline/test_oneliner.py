"""`penstock.map`, `filter` and `split`: stages that are declared in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import penstock
from penstock import Context, Pipeline, WiringError, sink, source, stage
from penstock.pipeline.stage import Stage


@source
def numbers() -> Iterator[int]:
    yield from range(3)


@stage
def known(number: int) -> int:
    return number


@sink
def save(number: int) -> None: ...


def double(number: int) -> int:
    return number * 2


def parts(number: int) -> Iterator[int]:
    yield from range(number)


def halves(number: int) -> list[float]:
    return [number / 2, number / 2]


class Resize:
    def __call__(self, number: int, ctx: Context) -> int:
        return number


thrice = lambda number: number * 3  # noqa: E731


@pytest.mark.parametrize("made", [penstock.map(double), penstock.filter(double), penstock.split(halves)])
def test_a_one_liner_is_a_stage_with_the_name_of_its_function_that_is_called_like_it(made: Any) -> None:
    assert isinstance(made, Stage)
    assert made.name == made.target.__name__
    assert made(4) == made.target(4)


def test_a_name_can_be_chosen_and_a_lambda_has_that_of_its_variable() -> None:
    assert penstock.map(double, name="twice").name == "twice"
    assert penstock.map(double).named("again").name == "again"
    assert penstock.map(thrice).name == "thrice"
    assert penstock.map(Resize).name == "Resize"


def test_what_was_declared_is_in_the_plan_and_how_many_outputs_it_has() -> None:
    said = [penstock.map(double), penstock.filter(double), penstock.split(halves), penstock.split(parts)]
    plans = [each.plan() for each in said]
    assert [plan.how for plan in plans] == ["map", "filter", "split", "split"]
    assert [plan.gives for plan in plans] == ["one", "one", "many", "many"]
    assert {plan.kind for plan in plans} == {"stage"}


def test_how_many_outputs_a_stage_has_is_known_where_its_code_says_it() -> None:
    def plain(number: int) -> int:
        return number

    def asks(number: int, ctx: Context) -> int:
        return number

    made: list[Any] = [known, stage(parts), stage(Resize), stage("json:loads")]
    assert [each.plan().gives for each in made] == ["one", "many", "unsure", "unsure"]


@pytest.mark.parametrize("make", [penstock.map, penstock.filter])
def test_what_answers_once_cannot_yield(make: Callable[[Any], Any]) -> None:
    with pytest.raises(
        WiringError, match=r"test_oneliner.py:\d+: 'parts' yields, and a (map|filter) answers"
    ):
        make(parts).plan()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: penstock.map(lambda number: number), "a lambda has no name"),
        (lambda: penstock.map(known), "'known' is a stage already; wire it as it is"),
        (lambda: penstock.map(3), r"penstock.map takes a function, not 3"),  # type: ignore[call-overload]
        (lambda: penstock.filter("gone.py:f"), "there is no file .*gone.py"),
        (lambda: penstock.map(double, ports=("odd",)), "a one-liner sends what it returns and nothing else"),
        (lambda: penstock.split(halves, batch=3), "a one-liner takes one item"),  # type: ignore[call-overload]
        (lambda: penstock.map(double, fuse="yes"), "must be true or false"),  # type: ignore[call-overload]
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence_with_its_place(
    make: Callable[[], Any], sentence: str
) -> None:
    with pytest.raises(WiringError, match=rf"test_oneliner.py:\d+: .*{sentence}"):
        make()


def test_two_one_liners_of_one_function_are_two_stages_and_need_two_names() -> None:
    flows = (numbers >> penstock.map(double) >> save, numbers >> penstock.map(double) >> known >> save)
    with pytest.raises(WiringError, match=r"two stages are named 'double': this and another of it; call one"):
        Pipeline("twice", *flows).plan()


def test_one_that_is_kept_in_a_variable_can_be_wired_twice() -> None:
    twice = penstock.map(double)
    plan = Pipeline("fan", numbers >> twice >> save, twice >> known >> save).plan()
    assert [stage.name for stage in plan.stages].count("double") == 1
