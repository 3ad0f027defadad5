from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime.supervisor import bottleneck
from penstock.runtime.supervisor.bottleneck import Load, Machine, find

ROOMY, FULL = Machine(8, 1.5), Machine(2, 1.9)


def chain(
    camera: tuple[float, float], decode: tuple[float, float], detect: tuple[float, float]
) -> tuple[Load, ...]:
    """camera >> decode >> detect, each with the parts of its time that it is busy and waiting."""
    return (
        Load("camera", "source", 1, *camera, rate=10.0, feeds=("decode",)),
        Load("decode", "stage", 1, *decode, rate=10.0, feeds=("detect",)),
        Load("detect", "sink", 2, *detect, rate=10.0),
    )


@pytest.mark.parametrize(
    ("loads", "machine", "stage", "sentence"),
    [
        (
            chain((0.2, 0.8), (0.1, 0.85), (0.98, 0.0)),
            ROOMY,
            "detect",
            (
                "detect is the bottleneck: 98 % busy; decode waits for it 85 % of its time;"
                " try `penstock scale detect=3`"
            ),
        ),
        (
            chain((0.2, 0.8), (0.1, 0.85), (0.98, 0.0)),
            FULL,
            "detect",
            (
                "detect is the bottleneck: 98 % busy; decode waits for it 85 % of its time; 1.9 of 2 cores"
                " are in use, so it needs less work an item, or another machine, rather than more replicas"
            ),
        ),
        (
            chain((0.3, 0.7), (0.95, 0.0), (0.2, 0.0)),
            ROOMY,
            "decode",
            (
                "decode is the bottleneck: 95 % busy; camera waits for it 70 % of its time;"
                " try `penstock scale decode=2`"
            ),
        ),
        (
            chain((1.0, 0.0), (0.1, 0.0), (0.3, 0.0)),
            ROOMY,
            "camera",
            (
                "camera is the bottleneck: it hardly ever waits, and the busiest of the others, detect, is"
                " busy 30 % of its time; move work from it into a stage"
            ),
        ),
        (
            chain((0.5, 0.5), (0.1, 0.2), (0.5, 0.0)),
            ROOMY,
            "detect",
            (
                "detect is the bottleneck: 50 % busy; decode waits for it 20 % of its time;"
                " try `penstock scale detect=3`"
            ),
        ),
    ],
)
def test_the_bottleneck_is_named_with_its_reason_and_what_to_do(
    loads: tuple[Load, ...], machine: Machine, stage: str, sentence: str
) -> None:
    assert find(loads, machine) == (stage, sentence)


def test_where_nothing_flows_nobody_is_to_blame() -> None:
    idle = [load._replace(rate=0.0) for load in chain((1.0, 0.0), (0.0, 0.0), (0.0, 0.0))]
    assert find(idle, ROOMY) is None
    assert find([], ROOMY) is None


@st.composite
def loads(draw: st.DrawFn) -> list[Load]:
    parts = st.floats(0, 1)
    names = [f"s{number}" for number in range(draw(st.integers(1, 6)))]
    return [
        Load(
            name,
            "stage" if at else "source",
            draw(st.integers(1, 4)),
            busy := draw(parts),
            draw(st.floats(0, 1 - busy)),
            draw(st.floats(0, 100)),
            tuple(names[at + 1 : at + 2]),
        )
        for at, name in enumerate(names)
    ]


@given(loads(), st.builds(Machine, st.integers(1, 64), st.floats(0, 64)))
def test_more_replicas_are_advised_only_where_they_can_help(found: list[Load], machine: Machine) -> None:
    answer = find(found, machine)
    if answer is None:
        return
    [load] = [each for each in found if each.name == answer.stage]
    assert answer.sentence.startswith(f"{load.name} is the bottleneck: ")
    assert ("penstock scale" in answer.sentence) == (load.kind != "source" and not machine.full)
    assert load.kind == "source" or load.busy == max(each.busy for each in found if each.kind != "source")


@given(loads(), st.builds(Machine, st.integers(1, 64), st.floats(0, 64)))
def test_a_stage_that_has_no_time_left_is_always_found(found: list[Load], machine: Machine) -> None:
    if any(each.busy >= 0.7 for each in found if each.kind != "source"):
        assert find(found, machine) is not None


def test_what_is_paused_is_named_with_what_waits_for_it() -> None:
    found = bottleneck.paused("save", 1)
    assert found == ("save", "save is paused: 1 item waits until `penstock resume save`")
    assert "2,000 items wait" in bottleneck.paused("save", 2000).sentence
