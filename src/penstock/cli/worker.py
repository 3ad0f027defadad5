"""``penstock worker``: runs the jobs of groups of tasks, in the foreground."""

from __future__ import annotations

import asyncio
import math
import os
from typing import TYPE_CHECKING, Any, Sequence

import click

from penstock.cli import terminal
from penstock.cli.group import VerbCommand

if TYPE_CHECKING:
    from penstock.tasks.task import Task

EXAMPLES = (
    "penstock worker app.py",
    "penstock worker app.py --group gpu --workers 2",
    "penstock worker --group scripts",
    "penstock worker app.py --group gpu --broker amqps://rabbit.example/penstock",
)
EXITS = (
    ("0", "it was drained: Ctrl-C"),
    ("1", "a worker could not be kept running"),
    ("3", "there is no such file, or no task in it"),
    ("4", "the file or a task is wrong, or there is no such group"),
    ("5", "an interpreter cannot run its group, or the store or the broker cannot be used"),
    ("130, 143", "it was cut short by a second Ctrl-C or SIGTERM"),
)


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"Exit codes": EXITS})
@click.argument("app", metavar="[APP.PY]", required=False)
@click.option("--group", "groups", metavar="NAME", multiple=True, help="This group only; may be said again.")
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 1000),
    help="Processes for each group; else as penstock.toml says, or 1.",
)
@click.option("--broker", metavar="URL", default="", help="The RabbitMQ that jobs go over.")
def worker(app: str | None, groups: tuple[str, ...], workers: int | None, broker: str) -> int:
    """Run the jobs of an app's groups here, in the foreground.

    Jobs are taken from the store beside the app, or from a broker where one is named (--broker,
    PENSTOCK_BROKER, [tasks] broker), one at a time by each worker, in a process of its own.
    Ctrl-C (or SIGTERM) drains: nothing new is begun, what runs is finished. A second one ends what runs, and
    gives it back: somebody else will run it. Without an app a group runs command lines. What is said of a
    group in penstock.toml, [group.NAME], counts here.
    """
    from penstock.cli import appfile
    from penstock.config.groups import overlays
    from penstock.runtime.run import run_foreground
    from penstock.tasks import home, plan

    if app is None and not groups:
        raise click.UsageError("say which app, or with --group whose command lines are to be run")
    path, tasks = appfile.tasks(app) if app else (None, [])
    known = {task.group for task in tasks} | set(groups)
    said = overlays(str(path.parent) if path else os.getcwd(), os.environ, sorted(known))
    stages = plan.only(plan.groups(tasks, said), groups, str(path or ""), said)
    name = path.stem if path else groups[0]
    schedules = plan.schedules(tasks, {stage.name for stage in stages}) if app else None
    run = plan.plan(name, stages, workers or 0)
    for sentence in plan.starved(tasks, run.stages):
        terminal.talk(terminal.doubtful(sentence))
    address = home.broker(str(path.parent) if path else os.getcwd(), os.environ, broker)
    if address:
        look(address, [stage.name for stage in stages], tasks)
    return run_foreground(run, app=str(path) if path else None, schedules=schedules, broker=address)


def look(address: str, groups: Sequence[str], tasks: Sequence[Task[Any, Any]]) -> None:
    """Look at the broker before anything is started; what is doubtful is said.

    Raises:
        EnvironmentFault: it cannot be reached, or is not fit for these groups; says the cure.
    """
    from penstock.rabbitmq.holding import needed
    from penstock.rabbitmq.url import parse
    from penstock.rabbitmq.verify import before

    held = needed((task.group, task.rules) for task in tasks)
    # Of a group that runs command lines no time-out is known here.
    for remark in asyncio.run(before(parse(address), {name: held.get(name, math.inf) for name in groups})):
        terminal.talk(f"{terminal.doubtful('warning:')} {remark.text}; {remark.cure}")
