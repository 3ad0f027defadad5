# mypy: disable-error-code="operator, arg-type"
# What is refused here at run time, tests/typing shows refused by type checkers.
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstock import WiringError, route, sink, source, stage
from penstock.pipeline.edge import Choice
from penstock.pipeline.flow import Flow
from penstock.pipeline.reference import Reference


@source
def camera() -> Any:
    yield 1


@source
def film() -> Any:
    yield 2


@stage(ports=("odd",))
def clean(item: int) -> int:
    return item


@stage
def detect(item: int) -> int:
    return item


@sink
def save(item: int) -> None: ...


@sink
def show(item: int) -> None: ...


def by_size(item: int) -> str:
    return "clean"


def wires(flow: Flow[Any, Any]) -> set[str]:
    """Its edges as text."""
    return {f"{each.source}{f'[{each.port}]' if each.port else ''}>{each.target}" for each in flow.edges}


def test_a_chain_wires_each_to_the_next() -> None:
    assert wires(camera >> clean >> detect >> save) == {"camera>clean", "clean>detect", "detect>save"}


def test_a_tuple_gets_copies_and_gives_all_it_makes() -> None:
    flow = camera >> (clean, detect) >> save
    assert wires(flow) == {"camera>clean", "camera>detect", "clean>save", "detect>save"}


def test_a_tuple_may_hold_whole_flows() -> None:
    flow = camera >> (clean >> detect >> save, show, show.named("again"))
    assert wires(flow) == {"camera>clean", "clean>detect", "detect>save", "camera>show", "camera>again"}


def test_a_tuple_on_the_left_is_merged() -> None:
    assert wires((camera, film) >> save) == {"camera>save", "film>save"}


def test_a_flow_can_go_on_from_what_was_wired_before_and_after() -> None:
    middle = clean >> detect
    assert wires(camera >> middle >> save) == wires(camera >> clean >> detect >> save)


def test_wiring_changes_nothing_that_was_there() -> None:
    start = camera >> clean
    start >> save, start >> detect
    assert wires(start) == {"camera>clean"}
    assert wires(camera) == set()


def test_a_port_is_where_a_flow_goes_on() -> None:
    assert wires(clean["odd"] >> save) == {"clean[odd]>save"}
    assert wires(camera >> clean["odd"] >> save) == {"camera>clean", "clean[odd]>save"}


def test_each_wire_knows_the_line_where_it_was_written() -> None:
    flow = (
        camera
        >> clean
        >> save
    )  # fmt: skip
    first, second = flow.edges
    assert first.where.endswith(
        f"test_flow.py:{test_each_wire_knows_the_line_where_it_was_written.__code__.co_firstlineno + 2}"
    )
    assert second.where.rpartition(":")[0] == first.where.rpartition(":")[0]


def test_a_route_wires_all_targets_by_one_choice() -> None:
    flow = camera >> route(clean, detect, by=by_size) >> save
    choice = Choice(Reference(flow.edges[0].choice.by.root, __name__, "by_size"), ("clean", "detect"))  # type: ignore[union-attr]
    assert {each.target: each.choice for each in flow.edges} == {
        "clean": choice,
        "detect": choice,
        "save": None,
    }


def test_a_route_by_key_keeps_the_key() -> None:
    flow = (camera, film) >> route(clean >> save, show, by="kind")
    chosen = [each for each in flow.edges if each.choice]
    assert {(each.source, each.target) for each in chosen} == {
        ("camera", "clean"),
        ("camera", "show"),
        ("film", "clean"),
        ("film", "show"),
    }
    assert {each.choice for each in chosen} == {Choice("kind", ("clean", "show"))}


def test_a_route_can_be_wired_to_several_feeders_and_from_a_port() -> None:
    flow = clean["odd"] >> route(save, show, by="kind")
    assert wires(flow) == {"clean[odd]>save", "clean[odd]>show"}


def undecorated(item: int) -> int:
    return item


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: save >> clean, "nothing comes out of 'save', a sink"),
    (lambda: camera >> clean >> save >> show, "nothing comes out of 'save', a sink"),
    (lambda: (clean, save) >> show, "nothing comes out of 'save', a sink"),
    (lambda: camera >> (clean, save) >> show, "nothing comes out of 'save', a sink"),
    (lambda: clean >> camera, "nothing goes into 'camera', a source"),
    (lambda: film >> (camera >> clean), "nothing goes into 'camera', a source"),
    (lambda: film >> (clean, camera), "nothing goes into 'camera', a source"),
    (lambda: camera >> undecorated, "undecorated is no stage; write @stage"),
    (lambda: undecorated >> save, "undecorated is no stage; write @stage"),
    (lambda: camera >> 5, "5 cannot be wired"),
    (lambda: camera >> (), r"\(\) cannot be wired"),
    (lambda: [camera] >> save, r"cannot be wired; it takes a stage, a flow, or a tuple"),
    (lambda: clean["even"], "'clean' has no port 'even'; there is 'odd'"),
    (lambda: clean["Odd"], "'clean' has no port 'Odd'; did you mean 'odd'?"),
    (lambda: detect["odd"], r"'detect' has no port 'odd'; declare it: ports=\('odd',\)"),
    (lambda: route(clean, by="kind"), "a route needs two or more different stages"),
    (lambda: route(clean, clean, by="kind"), "a route needs two or more different stages"),
    (lambda: route((clean, detect), save, by="kind"), "begins with one stage"),
    (lambda: route(camera, save, by="kind"), "begins with one stage"),
    (lambda: route(save, route(clean, detect, by="a"), by="b"), "begins with one stage"),
    (lambda: route(clean, detect, by=lambda item: 0), "by=.*: a lambda has no name"),
    (lambda: route(clean, detect, by=clean), "must be a function at the top level of a module, or the key"),
    (lambda: route(clean, detect, by=0), "must be a function at the top level of a module, or the key"),
]


@pytest.mark.parametrize(("wire", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_a_wire_that_cannot_be_is_refused_at_its_line(wire: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(WiringError, match=sentence) as caught:
        wire()
    assert (caught.value.where or "").endswith(f"test_flow.py:{wire.__code__.co_firstlineno}")
