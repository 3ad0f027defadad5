from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import WiringError
from penstock.observe.page import LINKS
from penstock.pipeline import graph
from penstock.pipeline.edge import Choice, Edge
from penstock.pipeline.plan import Plan, RoutePlan, StagePlan
from penstock.pipeline.reference import Reference


def stage(name: str, kind: str = "stage", **fields: Any) -> StagePlan:
    return StagePlan(name, kind, Reference("/project", "app", name), where=f"app.py:{name}", **fields)


CAMERA, SAVE = stage("camera", "source"), stage("save", "sink")
CLEAN, DETECT = stage("clean"), stage("detect")


def edge(source: str, target: str, line: int = 1, **fields: Any) -> Edge:
    return Edge(source, target, where=f"app.py:{line}", **fields)


def planned(stages: list[StagePlan], edges: list[Edge]) -> Plan:
    return graph.plan("demo", stages, edges, where="app.py:99")


def refusal(stages: list[StagePlan], edges: list[Edge]) -> str:
    with pytest.raises(WiringError) as caught:
        planned(stages, edges)
    return str(caught.value)


def attempt(stages: list[StagePlan], edges: list[Edge]) -> Plan | WiringError:
    try:
        return planned(stages, edges)
    except WiringError as error:
        return error


def test_stages_come_out_upstream_first_and_links_as_they_were_written() -> None:
    plan = planned([SAVE, CLEAN, CAMERA], [edge("clean", "save"), edge("camera", "clean")])
    assert [each.name for each in plan.stages] == ["camera", "clean", "save"]
    assert [(link.id, link.label) for link in plan.links] == [(0, "clean→save"), (1, "camera→clean")]


def test_an_edge_that_is_written_twice_is_one_link() -> None:
    plan = planned([CAMERA, SAVE, SAVE], [edge("camera", "save", 1), edge("camera", "save", 2)])
    assert [link.label for link in plan.links] == ["camera→save"]


def test_one_pair_can_be_linked_by_several_ports() -> None:
    clean = stage("clean", ports=("odd",))
    plan = planned(
        [CAMERA, clean, SAVE],
        [edge("camera", "clean"), edge("clean", "save"), edge("clean", "save", port="odd")],
    )
    assert [link.label for link in plan.links] == ["camera→clean", "clean→save", "clean[odd]→save"]


def test_a_route_keeps_the_order_of_its_targets() -> None:
    choice = Choice("kind", ("save", "store"))
    store = stage("store", "sink")
    plan = planned(
        [CAMERA, SAVE, store], [edge("camera", "store", choice=choice), edge("camera", "save", choice=choice)]
    )
    assert plan.routes == [RoutePlan("kind", [1, 0])]


def test_a_pipeline_without_stages_is_refused() -> None:
    assert refusal([], []).startswith("app.py:99: the pipeline 'demo' has no stages; give it some")


def test_two_stages_of_one_name_are_refused_with_both_places() -> None:
    other = msgspec.structs.replace(CLEAN, where="app.py:40")
    found = refusal([CAMERA, CLEAN, other, SAVE], [])
    assert found.startswith("app.py:40: two stages are named 'clean': this and the one of app.py:clean; call")


def test_one_stage_with_two_sets_of_options_is_refused() -> None:
    assert "the same with other options" in refusal([CLEAN, msgspec.structs.replace(CLEAN, replicas=2)], [])


def test_a_circle_is_refused_and_shown() -> None:
    edges = [
        edge("camera", "clean", 1),
        edge("clean", "detect", 2),
        edge("detect", "clean", 3),
        edge("detect", "save", 4),
    ]
    found = refusal([CAMERA, CLEAN, DETECT, SAVE], edges)
    assert found.startswith("app.py:3: the wires run in a circle: ")
    assert "clean → detect → clean" in found or "detect → clean → detect" in found


def test_a_stage_that_feeds_itself_is_a_circle() -> None:
    assert "clean → clean" in refusal(
        [CAMERA, CLEAN, SAVE], [edge("camera", "clean"), edge("clean", "clean")]
    )


@pytest.mark.parametrize(
    ("edges", "sentence"),
    [
        ([edge("camera", "claen", 7)], "app.py:7: there is no stage 'claen'; did you mean 'clean'?"),
        (
            [edge("save", "clean", 7)],
            "app.py:7: nothing comes out of 'save', a sink; make it a @stage to wire it on",
        ),
        (
            [edge("clean", "camera", 7)],
            "app.py:7: nothing goes into 'camera', a source; make it a @stage to feed it",
        ),
        (
            [edge("camera", "save"), edge("clean", "save")],
            "app.py:clean: nothing feeds 'clean'; wire something to it",
        ),
        (
            [edge("camera", "clean"), edge("camera", "save")],
            "app.py:clean: what 'clean' puts out goes nowhere; wire it on, or make it a @sink",
        ),
        ([edge("camera", "clean")], "app.py:save: nothing feeds 'save'; wire something to it"),
        ([edge("clean", "save")], "app.py:camera: what 'camera' puts out goes nowhere; wire it on"),
        (
            [edge("camera", "clean"), edge("clean", "save", 7, port="odd")],
            "app.py:7: 'clean' has no port 'odd'; declare it: ports=('odd',)",
        ),
    ],
)
def test_what_cannot_run_is_refused_with_its_place_and_its_cure(edges: list[Edge], sentence: str) -> None:
    assert refusal([CAMERA, CLEAN, SAVE], edges).startswith(sentence)


def test_a_misspelt_port_is_answered_with_the_near_one() -> None:
    clean = stage("clean", ports=("rejected",))
    found = refusal([CAMERA, clean, SAVE], [edge("camera", "clean"), edge("clean", "save", port="rejetced")])
    assert found.endswith("'clean' has no port 'rejetced'; did you mean 'rejected'?")


def test_a_port_that_is_declared_and_not_wired_is_refused() -> None:
    clean = stage("clean", ports=("rejected",))
    found = refusal([CAMERA, clean, SAVE], [edge("camera", "clean"), edge("clean", "save")])
    assert "the port 'rejected' of 'clean' goes nowhere; wire clean['rejected'] on" in found


def test_a_stage_may_use_its_ports_only() -> None:
    clean = stage("clean", ports=("odd",))
    assert planned([CAMERA, clean, SAVE], [edge("camera", "clean"), edge("clean", "save", port="odd")]).links


def test_a_copy_and_a_route_to_one_target_are_refused() -> None:
    choice = Choice("kind", ("save", "store"))
    edges = [edge("camera", "save", 1), edge("camera", "save", 2, choice=choice)]
    assert refusal([CAMERA, SAVE, stage("store", "sink")], edges) == (
        "app.py:2: 'camera' leads to 'save' here and, chosen otherwise, in app.py:1;"
        " an item would arrive there twice"
    )


def test_more_links_than_a_status_page_has_room_for_are_refused() -> None:
    sinks = [stage(f"sink{number}", "sink") for number in range(LINKS + 1)]
    edges = [edge("camera", each.name) for each in sinks]
    assert f"'camera' has {LINKS + 1} links; {LINKS} is the most" in refusal([CAMERA, *sinks], edges)


# ------------------------------------------------------------------------------------------ any graph

NAMES = [f"s{number}" for number in range(7)]


@st.composite
def wirings(draw: st.DrawFn) -> tuple[list[StagePlan], list[Edge]]:
    """Stages of any kinds, wired in any way."""
    kinds = draw(st.lists(st.sampled_from(["source", "stage", "sink"]), min_size=1, max_size=7))
    names = NAMES[: len(kinds)]
    pairs = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=12))
    return [stage(name, kind) for name, kind in zip(names, kinds, strict=True)], [
        edge(*pair) for pair in pairs
    ]


@st.composite
def runnable(draw: st.DrawFn) -> tuple[list[StagePlan], list[Edge]]:
    """Layers of stages: each is fed by some of the layer before, and feeds some of the layer behind."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    layers = [[f"l{depth}n{number}" for number in range(size)] for depth, size in enumerate(sizes)]
    kinds = {name: "stage" for layer in layers for name in layer}
    kinds |= dict.fromkeys(layers[0], "source") | dict.fromkeys(layers[-1], "sink")
    edges = []
    for before, behind in pairwise(layers):
        edges += [edge(name, draw(st.sampled_from(behind))) for name in before]
        edges += [edge(draw(st.sampled_from(before)), name) for name in behind]
    stages = [stage(name, kind) for name, kind in kinds.items()]
    return draw(st.permutations(stages)), draw(st.permutations(edges))


@given(wirings())
def test_any_wiring_is_either_planned_whole_or_refused_with_a_place(
    wiring: tuple[list[StagePlan], list[Edge]],
) -> None:
    stages, edges = wiring
    plan = attempt(stages, edges)
    if isinstance(plan, WiringError):
        assert plan.where
        return
    assert sorted(each.name for each in plan.stages) == sorted(each.name for each in stages)
    assert {(link.source, link.target) for link in plan.links} == {
        (each.source, each.target) for each in edges
    }


@given(runnable())
def test_what_can_run_is_planned_and_every_link_leads_downstream(
    wiring: tuple[list[StagePlan], list[Edge]],
) -> None:
    plan = planned(*wiring)
    place = {each.name: number for number, each in enumerate(plan.stages)}
    assert all(place[link.source] < place[link.target] for link in plan.links)
    assert [link.id for link in plan.links] == list(range(len(plan.links)))


@given(runnable(), st.randoms(use_true_random=False))
def test_one_wire_backwards_makes_what_can_run_a_circle(
    wiring: tuple[list[StagePlan], list[Edge]], choose: random.Random
) -> None:
    stages, edges = wiring
    inner = [each for each in edges if each.source[:2] != "l0" and each.target in {e.source for e in edges}]
    if inner:
        chosen = choose.choice(inner)
        back = chosen._replace(source=chosen.target, target=chosen.source)
        assert "circle" in refusal(stages, [*edges, back])
