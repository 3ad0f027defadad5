from __future__ import annotations

import pytest

from penstock.cli.graph import as_lanes, as_mermaid
from penstock.pipeline.plan import JoinPlan, LinkPlan, Plan, ShapePlan, StagePlan, WindowPlan
from penstock.pipeline.reference import EXTERNAL, Reference

CODE = Reference("/", "app", "detect")
PLAN = Plan(
    "vision",
    [
        StagePlan("camera", "source", CODE),
        StagePlan("detect", "stage", CODE, replicas=2, batch=32),
        StagePlan("save", "sink", CODE),
    ],
    [LinkPlan(0, "camera", "detect"), LinkPlan(1, "detect", "save")],
)


def test_a_stage_that_takes_batches_shows_their_size_and_no_other_stage_does() -> None:
    (line,) = [line for line in as_lanes(PLAN).splitlines() if "batch" in line]
    assert "detect" in line and "batch 32" in line
    (node,) = [line for line in as_mermaid(PLAN).splitlines() if "batch" in line]
    assert node.strip() == 's1["detect x2, batch 32"]'


def test_seats_of_scripts_are_no_workers_here_as_in_a_run() -> None:
    camera, _, save = PLAN.stages
    detect = StagePlan("detect", "stage", EXTERNAL, replicas=2)
    drawn = as_lanes(Plan("vision", [camera, detect, save], PLAN.links))
    assert drawn.splitlines()[0].endswith("   3 stages   2 workers")


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        (WindowPlan(count=10, step=2), "count 10, step 2"),
        (WindowPlan(count=1000, time=5.0, by="user"), "count 1000, time 5.0 s, by 'user'"),
        (WindowPlan(time=10.0, every=1.0), "time 10 s, step 1.0 s"),
        (WindowPlan(gap=1800.0, by=CODE), "gap 30 min 00 s, by detect"),
        (JoinPlan(["id", "id"], 1.0), "on 'id', within 1.0 s"),
        (JoinPlan(["id", CODE], 0.05, "left"), "on 'id' = detect, within 50 ms, left"),
    ],
)
def test_how_items_are_put_together_is_shown(shape: ShapePlan, shown: str) -> None:
    stage = StagePlan("together", "stage", Reference("", "penstock", "join"), shape=shape)
    plan = Plan("p", [stage], [])
    assert as_lanes(plan).endswith(shown)
    assert f"together, {shown}".replace('"', "#quot;") in as_mermaid(plan)
