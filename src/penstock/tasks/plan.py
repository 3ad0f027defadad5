"""The groups of an app, as the plan of a run has them: a stage each, of kind ``task`` and without links."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

import msgspec

from penstock.errors import UserError, WiringError
from penstock.pipeline.nearest import nearest
from penstock.pipeline.plan import GROUP, Plan, StagePlan
from penstock.pipeline.reference import Reference
from penstock.tasks.schedule import Schedule, Scheduled
from penstock.tasks.task import Task

NO_CODE = Reference("", "penstock", "task")
"""In place of the code of a stage: that of a group is in ``tasks``."""


def groups(tasks: Iterable[Task[Any, Any]], overlay: Mapping[str, Mapping[str, Any]] = {}) -> List[StagePlan]:
    """The groups of these tasks, by name.

    Args:
        tasks: What an app declares.
        overlay: What is said of groups elsewhere: fields of ``StagePlan``, by the name of the group.

    Raises:
        WiringError: two tasks of a group have one name, or the code of one cannot be imported.
    """
    found: Dict[str, Dict[str, Task[Any, Any]]] = {}
    for task in tasks:
        mine = found.setdefault(task.group, {})
        other = mine.setdefault(task.name, task)
        if other.reference != task.reference:
            raise WiringError(
                f"the group {task.group!r} has two tasks {task.name!r}; the other is at {other.where};"
                ' give one another name: @task(name="...")',
                task.where,
            )
    return [_stage(name, found[name], overlay.get(name, {})) for name in sorted(found)]


def schedules(tasks: Iterable[Task[Any, Any]], groups: Iterable[str]) -> List[Scheduled]:
    """Those of the tasks of these groups.

    Raises:
        WiringError: one has no ticks: its cron text or its time zone is wrong.
    """
    found = []
    for task in tasks:
        if task.schedule is not None and task.group in groups:
            _refuse_timeless(task.schedule.schedule, task.where)
            found.append(task.schedule)
    return found


def _refuse_timeless(schedule: Schedule, where: str) -> None:
    from penstock.tasks import ticks

    try:
        ticks.check(schedule)
    except UserError as error:
        raise WiringError(str(error), where) from None


def starved(tasks: Iterable[Task[Any, Any]], stages: Iterable[StagePlan]) -> List[str]:
    """A sentence for each task that none of these groups' workers can run: it needs more GPUs than one has.
    (Workers elsewhere may have more.)"""
    shares = {stage.name: stage for stage in stages}
    return [
        f"{task.where}: {task.name} needs {task.rules.gpus} GPUs, and a worker of {task.group!r} has"
        f" {shares[task.group].share} here, so none of these runs its jobs;"
        f" say gpus= and workers= in penstock.toml, [group.{task.group}]"
        for task in tasks
        if task.group in shares and task.rules.gpus > shares[task.group].share
    ]


def only(
    stages: Sequence[StagePlan],
    names: Sequence[str],
    app: str,
    overlay: Mapping[str, Mapping[str, Any]] = {},
) -> List[StagePlan]:
    """Those of them that are named; all, if none is. Without an ``app`` a group has no code, and runs command
    lines.

    Raises:
        UserError: the app has no such group.
    """
    if not app:
        return [_stage(name, {}, overlay.get(name, {})) for name in dict.fromkeys(names)]
    known = {stage.name: stage for stage in stages}
    for name in names:
        if name not in known:
            raise UserError(
                f"{os.path.basename(app)} declares no task of the group {name!r}{nearest(name, known)};"
                " who runs nothing but command lines needs no app"
            )
    return [known[name] for name in dict.fromkeys(names)] if names else list(stages)


def plan(name: str, stages: Sequence[StagePlan], workers: int = 0) -> Plan:
    """A run of these groups; ``workers`` in each, where that is said here."""
    if workers:
        stages = [msgspec.structs.replace(stage, replicas=workers) for stage in stages]
    return Plan(pipeline=name, stages=list(stages), links=[])


def _stage(name: str, tasks: Mapping[str, Task[Any, Any]], said: Mapping[str, Any]) -> StagePlan:
    references = {each: tasks[each].reference for each in sorted(tasks)}
    where = next(iter(tasks.values())).where if tasks else ""
    env = None if {"env", "interpreter"} & set(said) else _env(name, tasks)
    plain = StagePlan(name=name, kind=GROUP, code=NO_CODE, tasks=references, where=where, env=env)
    return msgspec.structs.replace(plain, **said)


def _env(name: str, tasks: Mapping[str, Task[Any, Any]]) -> Optional[str]:
    """The environment that its tasks say: they share their workers."""
    saying = {task.chosen.env: task for task in tasks.values() if task.chosen.env}
    if len(saying) > 1:
        one, other = list(saying.values())[:2]
        raise WiringError(
            f"{other.name!r} says env={other.chosen.env!r}, and {one.name!r} of the same group {name!r} says"
            f' {one.chosen.env!r}; give one of them another group: @task(group="...")',
            other.where,
        )
    return next(iter(saying), None)
