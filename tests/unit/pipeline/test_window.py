"""Windows as they are written: what is planned, and what is refused with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

import penstock
from penstock import Pipeline, WiringError, join, route, session, sink, sliding, source, stage, tumbling
from penstock.pipeline.plan import JoinPlan, WindowPlan


@source
def numbers() -> Iterator[int]:
    yield 1


@source
def others() -> Iterator[int]:
    yield 1


@stage(key="user")
def keyed(found: Any) -> Any:
    return found


@stage
def plain(found: Any) -> Any:
    return found


@sink
def save(found: Any) -> None: ...


def same(found: Any) -> Any:
    return found


def sign(number: Any) -> bool:
    return bool(number < 0)


@pytest.mark.parametrize(
    ("window", "plan"),
    [
        (tumbling(count=10), WindowPlan(count=10)),
        (tumbling(time="5s", by="user"), WindowPlan(time=5.0, by="user")),
        (tumbling(count=9, time=timedelta(minutes=1), limit=9), WindowPlan(count=9, time=60.0, limit=9)),
        (sliding(count=10, step=2), WindowPlan(count=10, step=2)),
        (sliding(time="10s", step="1s"), WindowPlan(time=10.0, every=1.0)),
        (session(gap="30m"), WindowPlan(gap=1800.0)),
    ],
)
def test_what_is_planned(window: Any, plan: WindowPlan) -> None:
    found = window.plan()
    assert found.shape == plan
    assert (found.kind, found.replicas) == ("stage", 1)
    assert str(found.code) == f"penstock:{found.name}"
    assert "test_window.py:" in found.where


def test_a_function_is_named_by_reference_and_knobs_are_those_of_a_stage() -> None:
    window = tumbling(count=2, by=sign, name="pairs", on_full="drop_oldest").with_options(max_restarts=3)
    plan = window.plan()
    assert str(plan.shape.by).endswith(":sign")  # type: ignore[union-attr]
    assert (plan.name, plan.on_full, plan.max_restarts) == ("pairs", "drop_oldest", 3)
    assert window.named("twos").plan().name == "twos"


def test_a_join_knows_which_link_is_of_which_flow() -> None:
    flow = join(numbers >> plain, (others, numbers), on=("id", sign), within="1s", how="outer", name="both")
    plan = Pipeline("p", flow >> save).plan()
    shape = plan.stage("both").shape
    assert isinstance(shape, JoinPlan)
    assert (shape.on[0], shape.within, shape.how) == ("id", 1.0, "outer")
    assert {link.label: link.side for link in plan.links if link.target == "both"} == {
        "plain→both": 0,
        "others→both": 1,
        "numbers→both": 1,
    }


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (tumbling, r'tumbling\(\): when does a window close\? Say count=10, time="5s", or both'),
        (lambda: tumbling(count=0), r"tumbling\(count=0\): must be a whole number, 1 or more"),
        (lambda: tumbling(time=5), r"tumbling\(time=5\): .* did you mean '5s'\?"),  # type: ignore[arg-type]
        (lambda: tumbling(count=3, limit=2), "a window of 3 items could never be full"),
        (lambda: tumbling(count=3, by=lambda _: 1), r"tumbling\(by=.*a lambda has no name"),
        (lambda: tumbling(count=3, key="user"), "key='user': say by= of a window"),
        (lambda: tumbling(count=3, batch=2), "batch=2: it takes items one by one"),  # type: ignore[call-arg]
        (lambda: tumbling(count=3, ordered=True), "it puts items together as they arrive"),
        (lambda: tumbling(count=3, threads=2), "it has no code to run in them"),
        (lambda: tumbling(count=3, fuse=True), "it has its process for itself"),
        (lambda: tumbling(count=3, timeout="1s"), "it has no code that could take too long"),
        (lambda: sliding(count=3, time="1s", step=1), r"sliding\(\): say either count=10, step=2 or"),
        (lambda: sliding(step=1), r"sliding\(\): say either"),
        (lambda: sliding(count=3, step=4), r"sliding\(step=4\): is more than a window"),
        (lambda: sliding(count=3, step="1s"), r"sliding\(step='1s'\): must be a whole number"),
        (lambda: sliding(time="3s", step="4s"), "is more than a window"),
        (lambda: session(gap="0s"), "must be more than no time"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(wrong: Any, sentence: str) -> None:
    with pytest.raises(WiringError, match=sentence) as refused:
        wrong()
    assert "test_window.py:" in str(refused.value)


def refused(*flows: Any) -> str:
    with pytest.raises(WiringError) as error:
        Pipeline("p", *flows).plan()
    return str(error.value)


def test_two_windows_are_two_stages_also_where_they_say_the_same() -> None:
    twice = [numbers >> tumbling(count=2) >> save for _ in range(2)]
    assert "two stages are named 'tumbling': this and " in refused(*twice)
    assert 'give one another: name="..."' in refused(*twice)


def test_a_window_sees_all_items_so_it_has_one_replica() -> None:
    window = tumbling(count=2, replicas=2)
    assert "'tumbling' has to see all items, so it has one replica, not 2" in refused(
        numbers >> window >> save
    )


def test_where_a_window_goes_is_asked_of_a_stage_behind_it() -> None:
    assert "the key= of 'keyed' cannot ask what comes out of 'tumbling'; put a @stage between" in refused(
        numbers >> tumbling(count=2) >> keyed >> save
    )
    routed = numbers >> tumbling(count=2) >> route(plain, save, by=sign)
    assert "a route cannot ask what comes out of 'tumbling'" in refused(routed, plain >> save.named("other"))
    between = Pipeline("p", numbers >> tumbling(count=2) >> penstock.map(same) >> keyed >> save)
    assert "same" in {stage.name for stage in between.plan().stages}


def test_code_is_told_by_its_line_and_not_by_its_address() -> None:
    def here(_: Any) -> int:
        return 1

    def wired(on: Any) -> None:
        join(numbers, others, on=on, within="1s")

    refusals: dict[str, Callable[[], object]] = {
        r"on=lambda of .*test_window.py:\d+\): a lambda has no name": lambda: wired(lambda _: 1),
        r"on=here of .*test_window.py:\d+\): 'here' is defined inside": lambda: wired(here),
        r"on=\('id', sign of .*:\d+, 'x'\)\): there are 2 flows": lambda: wired(("id", sign, "x")),
        r"by=lambda of .*:\d+: a lambda": lambda: route(plain, save, by=lambda _: 1),
        r"key=lambda of .*:\d+: a lambda": lambda: stage("steps.py:same", key=lambda _: 1),
    }
    for sentence, wrong in refusals.items():
        with pytest.raises(WiringError, match=sentence):
            wrong()


def test_what_nothing_feeds_is_told_to_have_a_source_before_it() -> None:
    assert "nothing feeds 'tumbling'; put a source before it" in refused(tumbling(count=2) >> save)
