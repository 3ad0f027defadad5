"""Subscribers, as they are declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock import Context, Pipeline, WiringError, sink, source, subscriber
from penstock.pipeline.plan import Ear


@source
def numbers() -> Iterator[int]:
    yield 1


@sink
def save(number: int) -> None: ...


@subscriber("metrics.*", "state", last=True, conflate=True, window=5)
def log(value: float, ctx: Context) -> None: ...


def test_it_stays_a_function_and_stands_beside_the_wires() -> None:
    log(1.0, Context())
    plan = Pipeline("p", log, numbers >> save).plan()
    assert [stage.name for stage in plan.stages] == ["numbers", "save", "log"]
    found = plan.stage("log")
    assert (found.kind, found.window, found.concurrency) == ("subscriber", 5, 0)
    assert found.ear == Ear(["metrics.*", "state"], last=True, conflate=True)


def test_another_of_it_asks_for_the_same() -> None:
    again = log.named("again").with_options(replicas=2)
    assert again.plan().ear == log.plan().ear
    assert (again.name, again.plan().replicas) == ("again", 2)


def test_it_may_be_named_where_its_code_is_not_imported() -> None:
    named = subscriber("a")("tests.unit.pipeline.test_subscriber:log")
    assert (named.name, named.plan().ear) == ("log", Ear(["a"]))


def test_it_cannot_be_wired() -> None:
    beside: Any = log
    with pytest.raises(
        WiringError, match=r"goes into 'log': a subscriber gets what is published and is not wired"
    ):
        numbers >> beside
    with pytest.raises(WiringError, match=r"comes out of 'log': a subscriber gets"):
        beside >> save


def test_what_it_cannot_be_is_said_with_its_place() -> None:
    with pytest.raises(WiringError, match=r"test_subscriber.py:\d+: @subscriber needs topics"):
        subscriber(lambda value: None)  # type: ignore[arg-type]
    with pytest.raises(WiringError, match=r"subscriber\('a\*b'\): 'a\*b' cannot be subscribed to"):
        subscriber("a*b")
    with pytest.raises(WiringError, match=r"subscriber\(\): a subscriber without topics"):
        subscriber()
    with pytest.raises(WiringError, match=r"max_failures=2: what is published is given once"):
        subscriber("a", max_failures=2)


@subscriber("a")
def loud(value: int) -> Iterator[int]:
    yield value


def test_code_that_yields_is_told_to_publish() -> None:
    with pytest.raises(WiringError, match="is a subscriber, but yields"):
        loud.plan()
