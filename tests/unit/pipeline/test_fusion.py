"""What shares a process, what does not, and why."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import WiringError
from penstock.pipeline.edge import Choice, Edge
from penstock.pipeline.fusion import fused, host_of
from penstock.pipeline.graph import plan
from penstock.pipeline.plan import Gives, LinkPlan, Plan, StagePlan
from penstock.pipeline.reference import Reference

ANOTHER = Reference("/elsewhere", "app", "f")


def stage(name: str, kind: str = "stage", gives: Gives = "one", **knobs: Any) -> StagePlan:
    code = knobs.pop("code", Reference("/project", "app", name))
    where = f"app.py:{len(name)}"
    return StagePlan(name, kind, code, how=knobs.pop("how", kind), gives=gives, where=where, **knobs)


def step(name: str, how: str = "map", **knobs: Any) -> StagePlan:
    return stage(name, how=how, gives="many" if how == "split" else "one", **knobs)


def wired(*wires: str, **stages: StagePlan) -> Plan:
    """What is not given is made by its first letter: c a source, m a map, f a filter, p a split, s a stage, z
    a sink."""
    made: dict[str, StagePlan] = {}
    edges: list[Edge] = []
    for wire in wires:
        names = wire.split(">")
        for name in names:
            made[name] = stages.get(name) or _usual(name)
        edges += [Edge(one, other) for one, other in pairwise(names)]
    return plan("demo", made.values(), edges)


def _usual(name: str) -> StagePlan:
    kinds = {"c": stage(name, "source", "many"), "s": stage(name), "z": stage(name, "sink")}
    how = {"m": "map", "f": "filter", "p": "split"}
    return kinds.get(name[0]) or step(name, how[name[0]])


def drawn(found: Plan) -> set[str]:
    """Its links, with all that runs at their ends."""
    title = {each.name: each.title for each in found.stages}
    return {f"{title[link.source]} {title[link.target]}" for link in found.links}


@pytest.mark.parametrize(
    ("wires", "links"),
    [
        (["c>m>z"], {"c [m + z]"}),
        (["c>m>f>s>z"], {"c [m + f + s]", "[m + f + s] z"}),
        (["c>s>p>z"], {"c [s + p]", "[s + p] z"}),
        (["c>m>p>z"], {"c [m + p]", "[m + p] z"}),
        # Of an item that became several, one that fails must not take the others with it.
        (["c>p>m>z"], {"c p", "p [m + z]"}),
        (["c>p>z"], {"c p", "p z"}),
        # Two stages behind it, or two before the one behind it.
        (["c>m>z", "m>zz"], {"c m", "m z", "m zz"}),
        (["c>s>m>z", "m>zz"], {"c [s + m]", "[s + m] z", "[s + m] zz"}),
        (["c>m>z", "cc>z"], {"c m", "m z", "cc z"}),
        (["c>s>m>z", "cc>z"], {"c [s + m]", "[s + m] z", "cc z"}),
        # Not where the others that its neighbour feeds would get what it made.
        (["c>s>m>z", "m>zz", "s>zzz"], {"c s", "s m", "m z", "m zz", "s zzz"}),
        # Several may feed it.
        (["c>m>z", "cc>m"], {"c [m + z]", "cc [m + z]"}),
        # One-liners share a process with each other where no stage takes them.
        (["c>m>mm>z", "mm>zz"], {"c [m + mm]", "[m + mm] z", "[m + mm] zz"}),
        (["c>s>m>mm>z", "mm>zz"], {"c [s + m + mm]", "[s + m + mm] z", "[s + m + mm] zz"}),
    ],
)
def test_a_step_goes_into_the_stage_behind_it_else_into_the_one_before(
    wires: list[str], links: set[str]
) -> None:
    assert drawn(fused(wired(*wires), {})) == links


@pytest.mark.parametrize(
    ("step_knobs", "host_knobs", "reason"),
    [
        ({"replicas": 2}, {}, "it has replicas= of its own"),
        ({"key": "user"}, {}, "it has key= of its own"),
        ({"timeout": 3.0}, {}, "it has timeout= of its own"),
        ({"max_failures": 5}, {}, "it has max_failures= of its own"),
        ({}, {"key": "user"}, "not into 's': 's' has key="),
        ({}, {"on_full": "drop_oldest"}, "not into 's': m→s drops items when it is full"),
        ({}, {"max_age": 1.0}, "not into 's': 's' has max_age="),
        ({}, {"fuse": False}, "not into 's': 's' says fuse=False"),
        ({}, {"interpreter": "/python3.9"}, "not into 's': 's' has another interpreter"),
        ({}, {"variables": {"A": "1"}}, "not into 's': 's' has other variables"),
        ({}, {}, None),
        ({}, {"replicas": 4, "timeout": 3.0, "max_failures": 7, "window": 9, "batch": 32, "pad": 0}, None),
        ({"interpreter": "/python3.9"}, {"interpreter": "/python3.9"}, None),
        ({"code": Reference("", "json", "loads")}, {"code": ANOTHER}, None),
    ],
)
def test_what_a_stage_chooses_for_itself_keeps_it_apart_from_what_chose_otherwise(
    step_knobs: dict[str, Any], host_knobs: dict[str, Any], reason: str | None
) -> None:
    def found(**wish: Any) -> Plan:
        return fused(wired("c>m>s>z", m=step("m", **step_knobs, **wish), s=stage("s", **host_knobs)), {})

    if reason is None:
        assert [each.title for each in found().stages] == ["c", "[m + s]", "z"]
        return
    assert [each.title for each in found().stages] == ["c", "m", "s", "z"]
    with pytest.raises(WiringError) as refusal:
        found(fuse=True)
    assert reason in str(refusal.value)


def test_code_from_two_directories_shares_a_process_only_where_it_has_shared_this_one() -> None:
    whole = wired("c>m>s>z", s=stage("s", code=ANOTHER))
    assert len(fused(whole, {}).stages) == 3
    assert len(fused(whole, {}, {"s"}).stages) == 4
    with pytest.raises(WiringError, match="imported from different directories, /elsewhere and /project"):
        fused(wired("c>m>s>z", m=step("m", fuse=True), s=stage("s", code=ANOTHER)), {}, {"m"})


def test_stages_share_a_process_where_they_ask_for_it_and_one_liners_not_where_they_refuse() -> None:
    assert drawn(fused(wired("c>s>z", s=stage("s", fuse=True)), {})) == {"c [s + z]"}
    assert drawn(fused(wired("c>m>z", m=step("m", fuse=False)), {})) == {"c m", "m z"}


def test_how_many_outputs_a_stage_has_is_believed_where_fusion_is_asked_for() -> None:
    unsure = stage("s", gives="unsure")
    whole = ("c>s>m>z", "m>zz")
    assert len(fused(wired(*whole, s=unsure), {}).stages) == 5
    assert len(fused(wired(*whole, s=unsure, m=step("m", fuse=True)), {}).stages) == 4
    with pytest.raises(WiringError, match="'s' has several outputs for an item, and one that fails must not"):
        fused(wired(*whole, s=stage("s", gives="many"), m=step("m", fuse=True)), {})


def test_what_asks_for_it_and_fits_nowhere_is_refused_with_all_reasons_where_it_asked() -> None:
    asks = step("m", fuse=True)
    with pytest.raises(WiringError) as refusal:
        fused(wired("c>m>z", m=asks, z=stage("z", "sink", key="user")), {"m": "penstock.toml:3"})
    assert str(refusal.value) == (
        "penstock.toml:3: 'm' has fuse=True and fits into no neighbour's process; not into 'z': 'z' has key=;"
        " not into 'c': that is a source, and what is raised in one ends it"
    )
    with pytest.raises(WiringError, match=r"app.py:1: 'z' has fuse=True .* a sink takes others in"):
        fused(wired("c>z", z=stage("z", "sink", fuse=True)), {})


def test_what_a_route_chooses_or_chooses_at_is_left_alone() -> None:
    stages = [_usual(name) for name in ("c", "m", "z", "zz")]
    choice = Choice("kind", ("m", "zz"))
    edges = [Edge("c", "m", choice=choice), Edge("c", "zz", choice=choice), Edge("m", "z")]
    assert len(fused(plan("demo", stages, edges), {}).stages) == 4
    into = Choice("kind", ("z", "zz"))
    edges = [Edge("c", "s"), Edge("s", "m"), Edge("m", "z", choice=into), Edge("m", "zz", choice=into)]
    found = fused(plan("demo", [*stages, _usual("s")], edges), {})
    assert drawn(found) == {"c [s + m]", "[s + m] z", "[s + m] zz"}
    assert [[found.links[number].target for number in route.links] for route in found.routes] == [["z", "zz"]]


def test_a_port_may_feed_a_step_that_goes_into_the_stage_behind() -> None:
    stages = [stage("s", ports=("odd",)), *map(_usual, ("c", "m", "z", "zz"))]
    edges = [Edge("c", "s"), Edge("s", "z"), Edge("s", "m", "odd"), Edge("m", "zz")]
    found = fused(plan("demo", stages, edges), {})
    assert [link.label for link in found.links] == ["c→s", "s→z", "s[odd]→zz"]


def test_where_a_step_runs_can_be_asked() -> None:
    found = fused(wired("c>m>s>z"), {})
    assert [host_of(found, name) for name in ("m", "s", "z", "x")] == ["s", None, None, None]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any graph of up to nine stages without circles, with knobs here and there."""
    count = draw(st.integers(1, 7))
    inner = [
        draw(
            st.builds(
                step,
                st.just(f"x{number}"),
                st.sampled_from(["map", "filter", "split"]),
                fuse=st.sampled_from([None, None, False]),
                replicas=st.sampled_from([1, 1, 2]),
            )
            | st.builds(
                stage,
                st.just(f"x{number}"),
                gives=st.sampled_from(["one", "many", "unsure"]),
                batch=st.just(0),
            )
        )
        for number in range(count)
    ]
    stages = [stage("c", "source", "many"), *inner, stage("z", "sink")]
    edges = [Edge("c", inner[0].name)]
    for at, one in enumerate(inner):
        before = draw(st.sets(st.integers(0, at), min_size=1, max_size=2))
        edges += [Edge(stages[number].name, one.name) for number in before]
    edges += [Edge(one.name, "z") for one in inner if draw(st.booleans()) or _is_loose(one, edges)]
    return plan("demo", stages, edges)


def _is_loose(one: StagePlan, edges: list[Edge]) -> bool:
    return all(edge.source != one.name for edge in edges)


@given(plans())
def test_nothing_is_lost_of_a_graph_and_only_the_last_of_a_process_has_several_outputs(whole: Plan) -> None:
    found = fused(whole, {})
    told = {each.name: each for each in whole.stages}
    runs = {each.name: [step.name for step in each.steps] or [each.name] for each in found.stages}
    assert sorted(name for names in runs.values() for name in names) == sorted(told)
    for names in runs.values():
        assert all(told[name].gives == "one" for name in names[:-1])
        assert all(told[name].kind == "stage" for name in names[:-1])
    assert [link.id for link in found.links] == list(range(len(found.links)))
    first, last = {names[0]: at for at, names in runs.items()}, {names[-1]: at for at, names in runs.items()}
    kept = [link for link in whole.links if link.source in last and link.target in first]
    ends = [LinkPlan(0, last[link.source], first[link.target]) for link in kept]
    assert ends == [msgspec.structs.replace(link, id=0) for link in found.links]
    inside = {pair for names in runs.values() for pair in pairwise(names)}
    assert inside == {(link.source, link.target) for link in whole.links if link not in kept}
