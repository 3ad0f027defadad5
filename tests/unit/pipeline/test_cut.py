"""The part of a pipeline behind what is recorded: it is whole, and nothing of the rest runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UserError
from penstock.pipeline.cut import LET_GO, MADE, cut
from penstock.pipeline.plan import LinkPlan, Plan, Reel, RoutePlan, StagePlan, Step, WindowPlan
from penstock.pipeline.reference import Reference

REEL = Reel("/rec.pst", speed=2.0)


def stage(name: str, kind: str, **more: Any) -> StagePlan:
    return StagePlan(name, kind, Reference("/app", "app", name), **more)


def plan(*wires: str, **more: dict[str, Any]) -> Plan:
    """`a>b` each; who gets nothing is a source, who gives nothing a sink."""
    ends = [wire.split(">") for wire in wires]
    names = list(dict.fromkeys(name for pair in ends for name in pair))
    fed, feeding = {b for _, b in ends}, {a for a, _ in ends}
    kinds = {name: "source" if name not in fed else "stage" if name in feeding else "sink" for name in names}
    return Plan(
        "demo",
        [stage(name, kinds[name], **more.get(name, {})) for name in names],
        [LinkPlan(number, a, b) for number, (a, b) in enumerate(ends)],
    )


def drawn(part: Plan) -> dict[str, str]:
    """What runs, and how: `plays`, `runs`, `takes`."""
    how = {MADE: "plays", LET_GO: "takes"}
    return {each.name: how.get(each.code, "runs") for each in part.stages}


CHAIN = plan("camera>detect", "detect>track", "track>save", camera={"interpreter": "/py39"})
EVERY = [link.label for link in CHAIN.links]


def test_without_more_all_but_the_sources_runs() -> None:
    found = cut(CHAIN, REEL, EVERY)
    assert drawn(found.plan) == {"camera": "plays", "detect": "runs", "track": "runs", "save": "runs"}
    camera = found.plan.stage("camera")
    assert camera.reel == Reel("/rec.pst", {0: "camera→detect"}, 2.0) and camera.interpreter == "/py39"
    assert found.plan.links == CHAIN.links and not found.compared and not found.unfed


def test_into_a_stage_plays_what_was_sent_to_it_and_leaves_out_what_is_before() -> None:
    found = cut(CHAIN, REEL, EVERY, into="track")
    assert drawn(found.plan) == {"detect": "plays", "track": "runs", "save": "runs"}
    assert found.plan.stage("detect").kind == "source"
    assert [link.id for link in found.plan.links] == [1, 2]


def test_compare_runs_what_leads_to_a_recorded_link_and_no_sink() -> None:
    found = cut(CHAIN, REEL, EVERY, compare=True)
    assert drawn(found.plan) == {"camera": "plays", "detect": "runs", "track": "runs", "save": "takes"}
    assert [link.label for link in found.compared] == ["detect→track", "track→save"]
    found = cut(CHAIN, REEL, EVERY[:2], compare=True)
    assert drawn(found.plan) == {"camera": "plays", "detect": "runs", "track": "takes"}


WINDOW = {"shape": WindowPlan(count=10)}
WINDOWED = plan("camera>detect", "detect>ten", "ten>mean", "mean>save", ten=WINDOW)
EACH = [link.label for link in WINDOWED.links]


def test_compare_runs_no_window_but_plays_what_it_had_put_out() -> None:
    found = cut(WINDOWED, REEL, EACH, compare=True)
    assert drawn(found.plan) == {
        "camera": "plays", "detect": "runs", "ten": "takes",
        "ten~replay": "plays", "mean": "runs", "save": "takes",
    }  # fmt: skip
    assert [link.label for link in found.compared] == ["detect→ten", "mean→save"]
    assert [link.label for link in found.uncompared] == ["ten→mean"]
    assert [link.label for link in found.fed] == ["camera→detect", "ten→mean"]
    assert found.plan.stage("ten~replay").reel == Reel("/rec.pst", {2: "ten→mean"}, 2.0)
    assert all(each.shape is None for each in found.plan.stages)
    for into in ("ten", "mean"):
        assert [link.label for link in cut(WINDOWED, REEL, EACH, into=into, compare=True).compared] == [
            "mean→save"
        ]
    assert cut(WINDOWED, REEL, EACH).plan.stage("ten").shape is not None, "without compare it is run"


def test_what_is_behind_a_window_that_is_not_recorded_is_not_compared() -> None:
    found = cut(WINDOWED, REEL, [each for each in EACH if each != "ten→mean"], compare=True)
    assert [link.label for link in found.compared] == ["detect→ten"]
    assert drawn(found.plan) == {"camera": "plays", "detect": "runs", "ten": "takes"}
    merged = plan("camera>ten", "camera>mean", "ten>mean", "mean>save", ten=WINDOW)
    found = cut(merged, REEL, ["camera→mean", "mean→save"], compare=True)
    assert [link.label for link in found.unfed] == ["ten→mean"], "and where more comes there, it is said"


def test_where_only_windows_are_behind_there_is_nothing_to_compare() -> None:
    with pytest.raises(UserError, match="there is nothing to compare: only windows and joins"):
        cut(plan("camera>ten", "ten>save", ten=WINDOW), REEL, ["camera→ten", "ten→save"], compare=True)


def test_what_comes_from_elsewhere_is_played_too_or_said_to_be_missing() -> None:
    merged = plan("a>x", "b>x", "a>y", "x>out", "y>out")
    found = cut(merged, REEL, ["a→x", "y→out"], into="x")
    assert drawn(found.plan) == {"a": "plays", "x": "runs", "y": "plays", "out": "runs"}
    assert [link.label for link in found.unfed] == ["b→x"]


def test_a_link_that_was_chosen_by_a_route_is_played_as_it_was_and_nothing_is_dropped() -> None:
    routed = plan("a>x", "a>y", "x>out", "y>out", x={"max_age": 1.0, "on_full": "drop_oldest"})
    routed = Plan("demo", routed.stages, routed.links, routes=[RoutePlan("kind", [0, 1])])
    found = cut(routed, REEL, ["a→x", "a→y"]).plan
    assert found.routes == [] and found.stage("a").reel == Reel("/rec.pst", {0: "a→x", 1: "a→y"}, 2.0)
    assert (found.stage("x").max_age, found.stage("x").on_full) == (None, "block")
    assert {link.on_full for link in found.links} == {"block"}


def test_each_player_knows_whose_items_are_on_all_that_is_played() -> None:
    routed = plan("a>x", "a>y", "x>out", "y>out")
    sources = {link.label: ["a"] for link in routed.links}
    found = cut(routed, Reel("/rec.pst", sources=sources), list(sources), into="out").plan
    for name in "xy":
        reel = found.stage(name).reel
        assert reel is not None and reel.sources == {"x→out": ["a"], "y→out": ["a"]}


@pytest.mark.parametrize(
    ("recorded", "more", "sentence"),
    [
        (["detect→track"], {}, r"nothing that sources sent \(camera→detect\); it has detect→track"),
        ([], {"into": "save"}, r"nothing that goes into save \(track→save\); it has no link"),
        (EVERY, {"into": "trak"}, "no stage 'trak'; did you mean 'track'"),
        (EVERY, {"into": "camera"}, "nothing goes into camera, a source"),
        (EVERY[:1], {"compare": True}, r"nothing that comes out of what is run again \(detect→track, track"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_sentence(
    recorded: list[str], more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        cut(CHAIN, REEL, recorded, **more)


def test_who_names_a_step_that_shares_a_process_is_told_where_it_runs() -> None:
    steps = [Step(name, "stage", Reference("/app", "app", name)) for name in ("clean", "detect")]
    fused = plan("camera>detect", "detect>save", detect={"steps": steps})
    with pytest.raises(UserError, match="'clean' runs in the process of 'detect': name that, or say fuse="):
        cut(fused, REEL, ["camera→detect"], into="clean")


@given(data=st.data())
def test_whatever_is_cut_out_is_whole(data: st.DataObject) -> None:
    names = "abcdefg"[: data.draw(st.integers(2, 7))]
    pairs = [f"{a}>{b}" for number, a in enumerate(names) for b in names[number + 1 :]]
    wires = data.draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True))
    between = {wire[0] for wire in wires} & {wire[-1] for wire in wires}
    whole = plan(*wires, **{name: WINDOW for name in sorted(between) if data.draw(st.booleans())})
    labels = [link.label for link in whole.links]
    lost = data.draw(st.sets(st.sampled_from(labels), max_size=2))
    recorded = [label for label in labels if label not in lost]
    into = data.draw(st.none() | st.sampled_from([each.name for each in whole.stages]))
    compare = data.draw(st.booleans())
    try:
        found = cut(whole, REEL, recorded, into=into, compare=compare)
    except UserError:
        return  # said in a sentence, see above
    part, how = found.plan, drawn(found.plan)
    for each in part.stages:
        into_it = [link for link in part.links if link.target == each.name]
        out_of_it = [link for link in part.links if link.source == each.name]
        if how[each.name] == "plays":
            assert not into_it and each.reel is not None
            assert each.reel.tracks == {link.id: labels[link.id] for link in out_of_it}
            assert set(each.reel.tracks.values()) <= set(recorded)
        else:
            assert into_it and each.kind != "source"
        if how[each.name] == "runs":
            assert len(out_of_it) == sum(link.source == each.name for link in whole.links)
            assert not (compare and (each.kind == "sink" or each.shape is not None))
    assert {link.label.replace("~replay", "") for link in part.links} <= set(labels)
    assert all(link.source in how and link.target in how for link in part.links)
    assert {link.id for link in found.fed + found.compared} <= {link.id for link in part.links}
    assert not {link.id for link in found.uncompared} & {link.id for link in found.compared}
