from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.pipeline.plan import (
    InLink,
    LinkPlan,
    Outlet,
    OutLink,
    Plan,
    RoutePlan,
    StagePlan,
    inlinks,
    order,
    outlets,
)
from penstock.pipeline.reference import Reference

BY = Reference("/project", "app", "by")


def stage(name: str, kind: str = "stage", max_failures: int = 3) -> StagePlan:
    return StagePlan(name, kind, Reference("/project", "app", name), max_failures=max_failures)


PLAN = Plan(
    "demo",
    [
        stage("camera", "source"),
        stage("clean"),
        stage("day"),
        stage("night", max_failures=7),
        stage("save", "sink"),
    ],
    [
        LinkPlan(0, "camera", "clean"),
        LinkPlan(1, "camera", "save"),
        LinkPlan(2, "clean", "night"),
        LinkPlan(3, "clean", "day"),
        LinkPlan(4, "clean", "save", "odd"),
        LinkPlan(5, "day", "save"),
        LinkPlan(6, "night", "save"),
    ],
    routes=[RoutePlan(BY, [3, 2])],
)


def test_copies_of_one_port_share_an_outlet() -> None:
    assert outlets(PLAN, "camera") == [Outlet("", [OutLink(0, "clean", 3), OutLink(1, "save", 3)])]


def test_a_link_has_the_key_of_its_target() -> None:
    day = msgspec.structs.replace(PLAN.stages[2], key="user", replicas=4)
    plan = msgspec.structs.replace(PLAN, stages=[*PLAN.stages[:2], day, *PLAN.stages[3:]])
    [_, outlet] = outlets(plan, "clean")
    assert outlet.links == [OutLink(3, "day", 3, key="user", replicas=4), OutLink(2, "night", 7)]
    [_, outlet] = outlets(plan, "clean", {"day": 9, "night": 8})
    assert outlet.links == [OutLink(3, "day", 3, key="user", replicas=9), OutLink(2, "night", 7)]


def test_a_route_is_an_outlet_of_its_own_in_the_order_of_its_targets() -> None:
    assert outlets(PLAN, "clean") == [
        Outlet("odd", [OutLink(4, "save", 3)]),
        Outlet("", [OutLink(3, "day", 3), OutLink(2, "night", 7)], BY),
    ]


def test_a_sink_feeds_nothing_and_a_source_is_fed_by_nothing() -> None:
    assert outlets(PLAN, "save") == []
    assert inlinks(PLAN, "camera") == []


def test_a_stage_knows_all_that_feeds_it() -> None:
    assert inlinks(PLAN, "save") == [
        InLink(1, "camera"),
        InLink(4, "clean"),
        InLink(5, "day"),
        InLink(6, "night"),
    ]


def test_upstream_drains_before_downstream() -> None:
    places = {name: place for place, name in enumerate(order(PLAN))}
    assert all(places[link.source] < places[link.target] for link in PLAN.links)


def test_links_have_the_names_that_people_see() -> None:
    assert [link.label for link in PLAN.links[3:5]] == ["clean→day", "clean[odd]→save"]


def test_a_stage_is_found_by_its_name() -> None:
    assert PLAN.stage("night").max_failures == 7
    with pytest.raises(KeyError):
        PLAN.stage("nigth")


def test_a_plan_comes_through_msgpack_and_json_as_it_was() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(PLAN), type=Plan) == PLAN
    assert msgspec.json.decode(msgspec.json.encode(PLAN), type=Plan) == PLAN


@given(st.data())
def test_every_link_leaves_by_one_outlet_and_arrives_once(data: st.DataObject) -> None:
    names = ["a", "b", "c", "d"]
    ends = data.draw(
        st.lists(
            st.tuples(st.sampled_from(names), st.sampled_from(names), st.sampled_from(["", "odd"])),
            unique=True,
        )
    )
    links = [LinkPlan(number, *each) for number, each in enumerate(ends)]
    routed = data.draw(st.sets(st.sampled_from(links), max_size=len(links)) if links else st.just(set()))
    groups: dict[tuple[str, str], list[int]] = {}
    for link in sorted(routed, key=lambda link: link.id):
        groups.setdefault((link.source, link.port), []).append(link.id)
    plan = Plan(
        "p", [stage(name) for name in names], links, routes=[RoutePlan("key", ids) for ids in groups.values()]
    )

    out = [
        (name, outlet.port, link) for name in names for outlet in outlets(plan, name) for link in outlet.links
    ]
    assert sorted((link.id, name, port) for name, port, link in out) == [
        (link.id, link.source, link.port) for link in links
    ]
    into = [(link.id, link.source, name) for name in names for link in inlinks(plan, name)]
    assert sorted(into) == [(link.id, link.source, link.target) for link in links]
