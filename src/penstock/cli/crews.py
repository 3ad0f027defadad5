"""The groups of an app as a command runs them: as ``penstock.toml`` says, over their broker."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from penstock.cli import terminal
from penstock.errors import UserError

if TYPE_CHECKING:
    from penstock.pipeline.plan import Plan, StagePlan
    from penstock.tasks.schedule import Scheduled
    from penstock.tasks.task import Task


class Crews(NamedTuple):
    """Those who are to run jobs."""

    stages: list[StagePlan]
    schedules: list[Scheduled] | None
    """Of their tasks; ``None``: their code is not known."""
    broker: str
    """The address of what the jobs go over; empty: they are kept on this machine."""


def crews(
    path: Path | None, tasks: Sequence[Task[Any, Any]], names: Sequence[str] = (), *, broker: str = ""
) -> Crews:
    """The groups of these tasks, or those of them that are named. What is doubtful is said.

    Args:
        path: Of the app; ``None``: there is none, and groups run command lines.
        tasks: In it.
        names: Groups; none: all.
        broker: As the command line says.

    Raises:
        UserError: what is said of a group is wrong, or there is no such group.
        EnvironmentFault: the broker cannot be reached, or is not fit for these groups; says the cure.
    """
    from penstock.config.groups import overlays
    from penstock.tasks import home, plan

    directory = str(path.parent) if path else os.getcwd()
    known = {task.group for task in tasks} | set(names)
    said = overlays(directory, os.environ, sorted(known))
    stages = plan.only(plan.groups(tasks, said), names, str(path or ""), said)
    schedules = plan.schedules(tasks, {stage.name for stage in stages}) if path else None
    for sentence in plan.starved(tasks, stages):
        terminal.talk(terminal.doubtful(sentence))
    address = home.broker(directory, os.environ, broker)
    if address:
        _look(address, [stage.name for stage in stages], tasks)
    return Crews(stages, schedules, address)


def beside(pipeline: Plan, stages: Sequence[StagePlan]) -> Plan:
    """A run of a pipeline, and of these groups for as long as it lasts.

    Raises:
        UserError: a group and a stage have one name.
    """
    names = {stage.name for stage in pipeline.stages}
    for stage in stages:
        if stage.name in names:
            raise UserError(
                f"{stage.where}: the group {stage.name!r} and a stage of {pipeline.pipeline!r} have one name;"
                " give one of them another"
            )
    return msgspec.structs.replace(pipeline, stages=[*pipeline.stages, *stages])


def _look(address: str, groups: Sequence[str], tasks: Sequence[Task[Any, Any]]) -> None:
    """Look at the broker before anything is started; what is doubtful is said."""
    from penstock.rabbitmq.holding import needed
    from penstock.rabbitmq.url import parse
    from penstock.rabbitmq.verify import before

    held = needed((task.group, task.rules) for task in tasks)

    def away(why: str) -> None:
        terminal.talk(f"{terminal.doubtful('waiting:')} {why}; it is looked for until it is there")

    # Of a group that runs command lines no time-out is known here.
    waits = {name: held.get(name, math.inf) for name in groups}
    for remark in asyncio.run(before(parse(address), waits, away)):
        terminal.talk(f"{terminal.doubtful('warning:')} {remark.text}; {remark.cure}")
