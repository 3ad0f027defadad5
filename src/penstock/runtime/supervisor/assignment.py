"""Runs in the supervisor: the assignment of one worker, from the plan and its place in the run."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Optional

from penstock.pipeline import ordering
from penstock.pipeline.plan import ONE_LINERS, Plan, StagePlan, Step, inlinks, outlets
from penstock.runtime.control import VERSION, Assignment, Hearer, Record

DEPTH = 1000
"""Values of one publisher that wait for a subscriber which has no ``window=``."""

AS_PLANNED = (
    "window_bytes", "timeout", "max_age", "dedupe", "batch", "batch_wait", "pad",
    "concurrency", "threads", "shape", "reel", "queue", "tasks", "max_jobs", "max_rss",
)  # fmt: skip
"""What a worker is told as the plan of its stage has it."""


def assign(
    plan: Plan,
    stage: StagePlan,
    *,
    run: str,
    replica: int,
    replicas: int,
    number: int,
    run_dir: str,
    state_dir: str,
    arena_bytes: int,
    config: Dict[str, Any],
    resume: bool = False,
    incarnation: int = 0,
    paused: bool = False,
    asked: Mapping[str, int] = MappingProxyType({}),
    record: Optional[Record] = None,
) -> Assignment:
    """The assignment of one replica: what the plan says of its stage, and its place in this run.

    ``config`` is that of the plan, with the secrets in it found. ``asked``: how many replicas are wanted now,
    by stage; else as many as planned.
    """
    return Assignment(
        version=VERSION,
        run=run,
        pipeline=plan.pipeline,
        stage=stage.name,
        kind=stage.kind,
        replica=replica,
        replicas=replicas,
        workers=sum(each.replicas for each in plan.stages),
        hands=sum(each.replicas * each.hands for each in plan.stages),
        number=number,
        code=stage.code,
        outlets=ordering.told(plan, outlets(plan, stage.name, asked)),
        inlinks=ordering.rooted(plan, inlinks(plan, stage.name)),
        run_dir=run_dir,
        state_dir=state_dir,
        window=stage.room,
        arena_bytes=arena_bytes,
        allow_pickle=plan.allow_pickle,
        config=config,
        resume=resume,
        incarnation=incarnation,
        steps=_steps(stage),
        paused=paused,
        record=record,
        ordered=stage.ordered,
        ear=_hearer(stage) if stage.ear is not None else None,
        hearers=hearers(plan, asked, f"{stage.name}/{replica}"),
        **{knob: getattr(stage, knob) for knob in AS_PLANNED},
    )


def hearers(plan: Plan, asked: Mapping[str, int], but: str = "") -> Dict[str, Hearer]:
    """The subscribers of the run, by name: all, ``but`` whoever asks."""
    found = {
        f"{stage.name}/{replica}": _hearer(stage)
        for stage in plan.stages
        if stage.ear is not None
        for replica in range(asked.get(stage.name, stage.replicas))
    }
    found.pop(but, None)
    return found


def _hearer(stage: StagePlan) -> Hearer:
    assert stage.ear is not None
    return Hearer(stage.ear, stage.window or DEPTH)


def _steps(stage: StagePlan) -> List[Step]:
    if stage.steps or stage.how not in ONE_LINERS:
        return stage.steps
    return [Step(stage.name, stage.how, stage.code)]
