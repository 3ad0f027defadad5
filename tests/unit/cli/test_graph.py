from __future__ import annotations

from penstock.cli.graph import as_lanes, as_mermaid
from penstock.pipeline.plan import LinkPlan, Plan, StagePlan
from penstock.pipeline.reference import Reference

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
