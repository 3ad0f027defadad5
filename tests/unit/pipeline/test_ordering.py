"""Who has to tell what because a stage takes its items in order, and orders that nobody could keep."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import WiringError
from penstock.pipeline import graph, ordering
from penstock.pipeline.edge import Choice, Edge
from penstock.pipeline.plan import UNBOUNDED, OutLink, Plan, StagePlan, WindowPlan, inlinks, outlets
from penstock.pipeline.reference import Reference


def stage(name: str, kind: str = "stage", **fields: Any) -> StagePlan:
    return StagePlan(name, kind, Reference("/project", "app", name), where=f"app.py:{name}", **fields)


CAMERA, CLEAN, DETECT = stage("camera", "source"), stage("clean"), stage("detect")
SAVE, LOG = stage("save", "sink", ordered=True, window=50), stage("log", "sink")


def plan(stages: list[StagePlan], *wires: tuple[str, str], **more: Any) -> Plan:
    return graph.plan("demo", stages, [Edge(*wire, where="app.py:1", **more) for wire in wires])


def out(found: Plan, name: str) -> dict[str, OutLink]:
    told = ordering.told(found, outlets(found, name))
    return {link.target: link for outlet in told for link in outlet.links}


def test_only_links_that_lead_to_an_ordered_stage_tell_what_never_arrives() -> None:
    found = plan(
        [CAMERA, CLEAN, DETECT, SAVE, LOG],
        ("camera", "clean"),
        ("camera", "detect"),
        ("clean", "save"),
        ("detect", "log"),
    )
    assert out(found, "camera")["clean"].tells
    assert out(found, "camera")["clean"].ahead == 50
    assert not out(found, "camera")["detect"].tells
    assert out(found, "clean")["save"].tells
    assert not out(found, "detect")["log"].tells
    roots = {link.source: link.roots for link in ordering.rooted(found, inlinks(found, "save"))}
    assert roots == {"clean": ["camera"]}


def test_several_ways_may_meet_at_the_ordered_stage_itself() -> None:
    choice = Choice("kind", ("clean", "detect"))
    edges = [
        Edge("camera", "clean", choice=choice),
        Edge("camera", "detect", choice=choice),
        Edge("clean", "save"),
        Edge("detect", "save"),
    ]
    found = graph.plan("demo", [CAMERA, CLEAN, DETECT, SAVE], edges)
    roots = {link.source: link.roots for link in ordering.rooted(found, inlinks(found, "save"))}
    assert roots == {"clean": ["camera"], "detect": ["camera"]}


def test_several_ways_that_meet_before_it_are_refused_with_what_to_do() -> None:
    merge = stage("merge")
    ways = [("camera", "clean"), ("camera", "detect"), ("clean", "merge"), ("detect", "merge")]
    with pytest.raises(WiringError, match=r"app\.py:save: 'save' is ordered, .* 'merge', .* in 2 ways"):
        plan([CAMERA, CLEAN, DETECT, merge, SAVE], *ways, ("merge", "save"))


def test_what_puts_items_together_has_no_place_before_it() -> None:
    window = stage("five", shape=WindowPlan(count=5))
    with pytest.raises(WiringError, match="'save' is ordered, and 'five' puts items together"):
        plan([CAMERA, window, SAVE], ("camera", "five"), ("five", "save"))


def test_ports_of_a_source_are_roots_of_their_own() -> None:
    camera = stage("camera", "source", ports=("odd",))
    edges = [Edge("camera", "clean"), Edge("camera", "save", "odd"), Edge("clean", "save")]
    found = graph.plan("demo", [camera, CLEAN, SAVE], edges)
    roots = {link.source: link.roots for link in ordering.rooted(found, inlinks(found, "save"))}
    assert roots == {"camera": ["camera:odd"], "clean": ["camera"]}


def test_a_source_is_not_bounded_where_a_window_could_wait_for_its_next_item() -> None:
    pairs = stage("pairs", shape=WindowPlan(count=200))
    free = stage("save", "sink", ordered=True)
    wires = ("camera", "clean"), ("clean", "save"), ("clean", "pairs"), ("pairs", "log")
    assert out(plan([CAMERA, CLEAN, free, pairs, LOG], *wires), "camera")["clean"].ahead == UNBOUNDED
    with pytest.raises(WiringError, match=r"'save' is ordered with window=50, and 'pairs' puts items"):
        plan([CAMERA, CLEAN, SAVE, pairs, LOG], *wires)
