"""Fused or not, the same comes out: values, ids, and which items are dead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import penstock
from penstock import Context, Pipeline, Reject, Retry, WiringError, sink, source, stage
from penstock.pipeline.stage import Stage
from penstock.runtime.supervisor.assignment import assign
from penstock.testing.rehearsal import rehearse
from penstock.testing.result import Result


@dataclass
class Box:
    n: int


@source
def numbers() -> Iterator[Any]:
    yield from ()


def plus(n: int) -> int:
    return n + 1


def some(n: int) -> int | None:
    return None if n % 3 == 0 else n


def fragile(n: int) -> int:
    if n % 7 == 3:
        raise ValueError(f"not {n}")
    return n * 10


def boxed(n: int) -> Box:
    return Box(n)


def of_any(value: Any) -> Any:
    return value["n"] if isinstance(value, dict) else value


class Opened:
    def __init__(self) -> None:
        self.opened = 0

    def setup(self) -> None:
        self.opened += 1

    def __call__(self, n: int, ctx: Context) -> int:
        assert ctx.id
        return n + self.opened


def even(n: int) -> bool:
    return n % 2 == 0


def picky(n: int) -> Any:
    if n % 11 == 4:
        raise Reject(f"no {n}")
    return n % 5


def twice(n: int) -> list[int]:
    return [n, n + 100]


def each(n: int) -> Iterator[int | None]:
    yield n
    if n % 7 == 2:
        raise ValueError(f"only half of {n}")
    yield None
    yield n + 1000


def patient(n: int, ctx: Context) -> int:
    if ctx.attempt == 1 and n % 4 == 1:
        raise Retry("once more")
    return n


def unboxed(box: Box) -> int:
    return box.n


def both(boxes: list[int]) -> list[int | None]:
    return [None if n % 13 == 0 else n for n in boxes]


GOT: list[tuple[str, Any]] = []


@sink
def save(value: Any, ctx: Context) -> None:
    GOT.append((ctx.id, value))


Make = Callable[[str], Stage[Any, Any]]

SMALL: list[Make] = [
    *(lambda name, f=f: penstock.map(f, name=name) for f in (plus, some, fragile, Opened)),
    *(lambda name, f=f: penstock.filter(f, name=name) for f in (even, picky)),
    *(lambda name, f=f: penstock.split(f, name=name) for f in (twice, each)),
    *(lambda name, f=f: stage(fuse=True)(f).named(name) for f in (plus, patient, each)),
    lambda name: stage(fragile).named(name),
    lambda name: stage(batch=3)(both).named(name),
]


def played(pipeline: Pipeline, items: list[Any], *, fuse: bool) -> tuple[Result, list[tuple[str, Any]]]:
    """What came of it, and what the sink saw."""
    GOT.clear()
    targets = {node.name: node.target for node in pipeline.nodes}
    result = rehearse(pipeline.plan(fuse=fuse), targets, items=items, replace={}, limit=1000)
    return result, sorted(GOT, key=lambda got: (got[0], repr(got[1])))


def causes(result: Result) -> set[tuple[str, str]]:
    """The dead, by id, and why, without the step that a cause may begin with."""
    return {(dead.id, dead.cause.rpartition(": ")[2]) for dead in result.dead}


def _willing(make: Make) -> Make:
    return lambda name: make(name).with_options(fuse=None)


def built(makes: list[Make]) -> Pipeline:
    flow: Any = numbers
    for number, make in enumerate(makes):
        flow = flow >> make(f"s{number}")
    return Pipeline("chain", flow >> save)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(SMALL), max_size=6), st.lists(st.integers(0, 50), max_size=8))
def test_any_chain_gives_the_same_fused_and_unfused(makes: list[Make], items: list[int]) -> None:
    try:
        pipeline = built(makes)
        count = len(pipeline.plan().stages)
    except WiringError:  # a stage that asks to be fused, and does not fit
        pipeline = built([_willing(make) for make in makes])
        count = len(pipeline.plan().stages)
    apart, got_apart = played(pipeline, items, fuse=False)
    together, got_together = played(pipeline, items, fuse=True)
    assert count <= len(pipeline.nodes)
    assert got_together == got_apart
    assert causes(together) == causes(apart)
    assert together.totals.lost == 0


@pytest.mark.parametrize(
    ("makes", "title"),
    [
        ([SMALL[0], SMALL[1], SMALL[4]], "[s0 + s1 + s2 + save]"),
        ([SMALL[11], SMALL[6]], "[s0 + s1]"),
        ([SMALL[0], SMALL[4], SMALL[12]], "[s0 + s1 + s2]"),
        ([SMALL[9], SMALL[0]], "[s0 + s1 + save]"),
    ],
)
def test_these_chains_are_really_fused(makes: list[Make], title: str) -> None:
    assert title in [each.title for each in built(makes).plan().stages]


def test_what_goes_from_step_to_step_is_what_would_have_arrived() -> None:
    flow = (
        numbers >> penstock.map(boxed) >> penstock.map(unboxed) >> penstock.map(boxed, name="again") >> save
    )
    pipeline = Pipeline("boxes", flow)
    assert len(pipeline.plan().stages) == 2
    assert played(pipeline, [1, 2], fuse=True)[1] == [("numbers/0:0", {"n": 1}), ("numbers/0:1", {"n": 2})]
    assert played(pipeline, [1, 2], fuse=True)[1] == played(pipeline, [1, 2], fuse=False)[1]


def test_windows_and_joins_stay_apart_from_the_steps_around_them() -> None:
    pairs = penstock.tumbling(count=2, name="pairs")
    pipeline = Pipeline("windows", numbers >> penstock.map(plus) >> pairs >> penstock.map(len) >> save)
    assert [each.title for each in pipeline.plan().stages] == ["numbers", "plus", "pairs", "[len + save]"]
    assert played(pipeline, [1, 2, 3], fuse=True)[1] == played(pipeline, [1, 2, 3], fuse=False)[1]


def overwrite(array: Any) -> Any:
    array[0] = 1
    return array


def array_of(n: int) -> Any:
    return np.zeros(n)


@pytest.mark.parametrize("fuse", [True, False])
def test_a_step_cannot_write_into_an_array_that_came_to_it(*, fuse: bool) -> None:
    pipeline = Pipeline("arrays", numbers >> penstock.map(array_of) >> penstock.map(overwrite) >> save)
    result, _ = played(pipeline, [3], fuse=fuse)
    assert "assignment destination is read-only" in result.dead[0].cause


def test_what_raises_says_in_which_step_it_was_raised() -> None:
    pipeline = Pipeline("names", numbers >> penstock.map(fragile) >> stage(plus).named("host") >> save)
    result, _ = played(pipeline, [3], fuse=True)
    assert [(dead.stage, dead.cause) for dead in result.dead] == [("host", "fragile: ValueError: not 3")]
    assert "in fragile" in result.dead[0].traceback
    pipeline = Pipeline("names", numbers >> stage(plus).named("host") >> penstock.split(each) >> save)
    result, _ = played(pipeline, [1], fuse=True)
    assert [dead.cause for dead in result.dead] == ["each: ValueError: only half of 2"]


ALWAYS = ValueError("the same one")


def first_time(n: int, ctx: Context) -> int:
    if ctx.attempt == 1:
        raise ALWAYS
    return n


def ever_after(n: int) -> int:
    raise ALWAYS


def test_an_exception_that_was_raised_elsewhere_before_says_where_it_was_raised_last() -> None:
    steps = numbers >> penstock.map(first_time) >> penstock.map(ever_after)
    result, _ = played(Pipeline("again", steps >> stage(plus).named("host") >> save), [1], fuse=True)
    assert [dead.cause for dead in result.dead] == ["ever_after: ValueError: the same one"]


def test_a_value_that_cannot_travel_is_the_fault_of_the_step_that_made_it() -> None:
    pipeline = Pipeline("objects", numbers >> penstock.map(odd_object) >> stage(plus).named("host") >> save)
    result, _ = played(pipeline, [1], fuse=True)
    assert result.dead[0].cause.startswith("odd_object: UnsupportedType: a builtins.object cannot travel")
    assert result.dead[0].attempts == 1


def odd_object(n: int) -> Any:
    return object()


def split_wrong(n: int) -> Any:
    return "text"


@pytest.mark.parametrize("fuse", [True, False])
def test_a_split_that_returns_no_parts_says_so(*, fuse: bool) -> None:
    pipeline = Pipeline("wrong", numbers >> penstock.split(split_wrong) >> save)
    result, _ = played(pipeline, [1], fuse=fuse)
    assert (
        "a split returns the parts, in a list for example, and split_wrong returned a str"
        in result.dead[0].cause
    )


def emitting(n: int, ctx: Context) -> int:
    ctx.emit("", n)
    return n


def by_port(n: int, ctx: Context) -> int:
    ctx.emit("odd", n * 2)
    ctx.emit("odd", n * 3)
    return n


def test_one_that_is_fused_cannot_emit_past_what_follows_it() -> None:
    follows = penstock.map(plus, fuse=True)
    pipeline = Pipeline(
        "emits", numbers >> stage(emitting) >> follows >> (save, penstock.map(plus, name="z") >> save)
    )
    result, got = played(pipeline, [1], fuse=True)
    assert got == []
    assert "'emitting' shares its process with what follows" in result.dead[0].cause
    pipeline = Pipeline("emits", numbers >> penstock.map(emitting) >> save)
    for fuse in (True, False):
        result, got = played(pipeline, [1], fuse=fuse)
        assert "'emitting' is a map and sends what it returns" in result.dead[0].cause


def test_the_ports_of_a_stage_stay_its_own_with_steps_before_and_behind_it() -> None:
    host = stage(ports=("odd",))(by_port).named("host")
    follows = penstock.map(plus, name="after", fuse=True)
    flows = (numbers >> penstock.map(plus) >> host >> follows >> save, host["odd"] >> save)
    pipeline = Pipeline("ports", *flows, follows >> stage(fragile) >> save)
    assert "[plus + host + after]" in [each.title for each in pipeline.plan().stages]
    assert played(pipeline, [1, 5], fuse=True)[1] == played(pipeline, [1, 5], fuse=False)[1]


def test_code_that_is_alone_in_its_process_is_called_as_if_there_were_no_steps() -> None:
    plan = Pipeline("plain", numbers >> stage(plus) >> save).plan()
    place: dict[str, Any] = {"run": "", "run_dir": "", "state_dir": "", "arena_bytes": 0, "config": {}}
    for each in plan.stages:
        assert assign(plan, each, replica=0, replicas=1, number=1, **place).steps == []


def test_other_code_for_a_step_is_used_in_a_test() -> None:
    pipeline = Pipeline("replaced", numbers >> penstock.filter(even) >> penstock.map(plus) >> save)
    result = pipeline.test([1, 2, 3], replace={"even": lambda n: n > 1, "plus": lambda n: -n})
    assert result["save"] == [-2, -3]
    assert result.attempts["even"] == {"numbers/0:0": 1, "numbers/0:1": 1, "numbers/0:2": 1}
