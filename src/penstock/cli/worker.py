"""``penstock worker``: runs the jobs of groups of tasks, in the foreground."""

from __future__ import annotations

import click

from penstock.cli.group import VerbCommand
from penstock.cli.options import no_password, terms_options

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
@click.option(
    "--broker", metavar="URL", default="", callback=no_password, help="The RabbitMQ that jobs go over."
)
@terms_options
def worker(
    app: str | None,
    groups: tuple[str, ...],
    workers: int | None,
    broker: str,
    offline: bool,
    frozen: bool,
) -> int:
    """Run the jobs of an app's groups here, in the foreground.

    Jobs are taken from the store beside the app, or from a broker where one is named (--broker,
    PENSTOCK_BROKER, [tasks] broker), one at a time by each worker, in a process of its own.
    Ctrl-C (or SIGTERM) drains: nothing new is begun, what runs is finished. A second one ends what runs, and
    gives it back: somebody else will run it. Without an app a group runs command lines. What is said of a
    group in penstock.toml, [group.NAME], counts here.
    """
    from penstock.cli import appfile
    from penstock.cli.crews import crews
    from penstock.runtime.run import run_foreground
    from penstock.runtime.supervisor.provision import Terms
    from penstock.tasks import plan

    if app is None and not groups:
        raise click.UsageError("say which app, or with --group whose command lines are to be run")
    path, tasks = appfile.tasks(app) if app else (None, [])
    found = crews(path, tasks, groups, broker=broker)
    run = plan.plan(path.stem if path else groups[0], found.stages, workers or 0)
    return run_foreground(
        run,
        app=str(path) if path else None,
        schedules=found.schedules,
        broker=found.broker,
        terms=Terms(offline, frozen),
    )
