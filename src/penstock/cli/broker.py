"""``penstock broker``: set up the RabbitMQ that jobs go over, and examine it."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand, VerbFamily
from penstock.cli.options import json_option, no_password

if TYPE_CHECKING:
    from penstock.rabbitmq.setup import Plan, Wanted
    from penstock.rabbitmq.url import BrokerUrl

EXAMPLES = (
    "penstock broker init amqp://localhost app.py --dry-run",
    "penstock broker doctor amqp://localhost app.py",
)
INIT = (
    "penstock broker init amqp://localhost app.py",
    "penstock broker init 'amqps://admin@broker/penstock?password_file=admin' --group gpu --accounts secrets",
    "penstock broker init app.py --dry-run",
    "penstock broker init app.py --export definitions.json",
)
EXITS = (
    ("0", "all is there"),
    ("1", "a part is left that this user may not do; the commands are shown"),
    ("4", "the URL or a group's name is wrong, or a secret cannot be written"),
    ("5", "the broker cannot be reached, is too old, or refuses"),
)

ELSEWHERE = " (it was there; its secret is where it was made)"


@click.group(cls=VerbFamily, examples=EXAMPLES)
def broker() -> None:
    """Set up the RabbitMQ that jobs go over, and examine it.

    URL is amqp://USER@HOST/VHOST?password_file=PATH, or amqps:// with ca=, cert= and key=; else what --broker
    of the other commands means: PENSTOCK_BROKER, [tasks] broker of penstock.toml.
    """


def group_option(command: click.decorators.FC) -> click.decorators.FC:
    """``--group``, as often as there are groups."""
    return click.option(
        "--group", "groups", metavar="NAME", multiple=True, help="A group; may be said again."
    )(command)


@broker.command(cls=VerbCommand, examples=INIT, terms={"Exit codes": EXITS})
@click.argument("url", metavar="[URL]", required=False, callback=no_password)
@click.argument("app", metavar="[APP.PY]", required=False)
@group_option
@click.option("--dry-run", is_flag=True, help="Show what would be done.")
@click.option(
    "--accounts",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also make the accounts, with their secrets in files there; say all groups then.",
)
@click.option(
    "--export",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Only write what would be there, for rabbitmqctl import_definitions.",
)
@json_option
def init(
    url: str | None,
    app: str | None,
    groups: tuple[str, ...],
    dry_run: bool,
    accounts: Path | None,
    export: Path | None,
    as_json: bool,
) -> int:
    """Declare on the broker what jobs of these groups need.

    Exchanges, queues, bindings, and policies for the version that it is. It may be said again: what is there
    stays, what is missing or differs is shown and made. Groups are those of the app, else of penstock.toml.
    With --accounts each kind of process gets a user that may do what it needs and nothing else; the secrets
    are written to DIR, each in a file that only you can read, and are not shown. Workers and clients declare
    nothing.
    """
    from penstock.rabbitmq import accounts as users
    from penstock.rabbitmq.setup import Wanted, apply, prepare
    from penstock.rabbitmq.topology import topology

    where, names = target(url, app, groups)
    made = users.accounts(names, where.vhost) if accounts else ()
    wanted = Wanted(topology(names), made, str(accounts or ""))
    plan, management = asyncio.run(prepare(where, wanted))
    if export:
        written(export, where, wanted, plan)
        dry_run = True
    if not dry_run:
        asyncio.run(apply(where, wanted, plan, management))
    if as_json:
        terminal.data(document("broker-init", **fields(where, wanted, plan, dry_run)))
    else:
        terminal.data("\n".join(lines(where, wanted, plan, dry_run)))
    return int(bool(plan.left) and not dry_run)


DOCTOR = (
    "penstock broker doctor amqp://localhost app.py",
    "penstock broker doctor app.py --rabbitmqctl 'ssh broker sudo rabbitmqctl'",
)


@broker.command(cls=VerbCommand, examples=DOCTOR)
@click.argument("url", metavar="[URL]", required=False, callback=no_password)
@click.argument("app", metavar="[APP.PY]", required=False)
@group_option
@click.option(
    "--rabbitmqctl",
    metavar="COMMAND",
    help="How to ask the broker's own tools for its consumer_timeout, which nothing else tells.",
)
@json_option
def doctor(
    url: str | None, app: str | None, groups: tuple[str, ...], rabbitmqctl: str | None, as_json: bool
) -> int:
    """Examine the broker, and how it is set up.

    Connection and encryption, version, alarms, queues, bindings, policies, accounts, and whether the broker
    waits as long as jobs may take. What can be seen depends on the user of the URL. Exit code 1 when
    something is wrong; a warning is not.
    """
    from penstock.cli import finding
    from penstock.rabbitmq.examination import examine

    where, held = target(url, app, groups)
    configured = asked(rabbitmqctl) if rabbitmqctl else 0
    found = [finding.Finding(*remark) for remark in asyncio.run(examine(where, held, configured))]
    if as_json:
        terminal.data(document("broker-doctor", url=str(where), **finding.as_fields(found)))
    else:
        terminal.data("\n".join([*finding.lines(found), "", finding.summary(found)]))
    return finding.verdict(found)


@broker.command(
    cls=VerbCommand, examples=["penstock broker queues", "penstock broker queues amqp://localhost app.py"]
)
@click.argument("url", metavar="[URL]", required=False, callback=no_password)
@click.argument("app", metavar="[APP.PY]", required=False)
@group_option
@json_option
def queues(url: str | None, app: str | None, groups: tuple[str, ...], as_json: bool) -> None:
    """Show what lies in the broker's queues, and how many take it.

    These are figures of the broker itself, so they can be had while no hub runs; those of the management API
    are some seconds old. How jobs stand is shown by `penstock queues`.
    """
    from penstock.cli.table import table
    from penstock.rabbitmq.census import census

    where, held = target(url, app, groups)
    found = asyncio.run(census(where, held))
    if as_json:
        terminal.data(document("broker-queues", url=str(where), queues=[each._asdict() for each in found]))
        return
    rows = [
        [
            each.queue,
            f"{each.ready:,}",
            "?" if each.unsettled is None else f"{each.unsettled:,}",
            f"{each.consumers:,}",
        ]
        for each in found
    ]
    for line in table(rows, ("QUEUE", "READY", "UNSETTLED", "CONSUMERS"), right=[1, 2, 3]):
        terminal.data(line)


def asked(rabbitmqctl: str) -> int:
    """The ``consumer_timeout`` of the broker, in milliseconds.

    Raises:
        EnvironmentFault: its tools do not say.
    """
    from penstock.errors import EnvironmentFault

    command = [*shlex.split(rabbitmqctl), "eval", "application:get_env(rabbit, consumer_timeout)."]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(f"{rabbitmqctl} cannot be run: {error}") from None
    said = re.search(r"\{ok,(\d+)\}", ended.stdout)
    if said is None:
        reason = (ended.stderr or ended.stdout).strip().splitlines() or ["it says nothing"]
        raise EnvironmentFault(f"{rabbitmqctl} does not tell the consumer_timeout: {reason[0]}")
    return int(said[1])


def target(url: str | None, app: str | None, groups: tuple[str, ...]) -> tuple[BrokerUrl, dict[str, float]]:
    """The broker and the groups that are meant, with the milliseconds for which their jobs may be held.

    Raises:
        UserError: there is no broker or no group.
    """
    from penstock.cli import appfile
    from penstock.config.groups import named
    from penstock.rabbitmq.holding import needed
    from penstock.rabbitmq.url import parse
    from penstock.tasks.home import BROKER, broker

    if url and app is None and "://" not in url:
        url, app = None, url
    path, tasks, queues = appfile.work(app) if app else (None, [], [])
    directory = str(path.parent) if path else os.getcwd()
    said = broker(directory, os.environ, url or "")
    if not said:
        raise click.UsageError(f"say which broker: its URL, {BROKER}, or [tasks] broker in penstock.toml")
    held = needed((task.group, task.chosen.rules) for task in tasks)
    names = set(groups) or {*held, *queues} or set(named(directory))
    if not names:
        declares = f"{path.name} declares no task and no queue; " if path else ""
        raise click.UsageError(f"{declares}say which groups: an app, or --group")
    # What runs command lines alone has no time-out that could be known here.
    return parse(said), {name: held.get(name, math.inf) for name in sorted(names)}


def written(path: Path, url: BrokerUrl, wanted: Wanted, plan: Plan) -> None:
    """Export.

    Raises:
        UserError: the file cannot be written.
    """
    from penstock.errors import UserError
    from penstock.rabbitmq.definitions import definitions

    said = definitions(url.vhost, wanted.topology, plan.policies)
    try:
        path.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def lines(url: BrokerUrl, wanted: Wanted, plan: Plan, dry_run: bool) -> list[str]:
    """For people."""
    count = len(plan.changes)
    done = f"{count} to be made" if dry_run else f"{count} made"
    shown = [
        f"RabbitMQ {'.'.join(map(str, plan.version))} at {url}",
        *(change.text for change in plan.changes),
        done if count else "nothing to do",
    ]
    if plan.left:
        shown += ["", terminal.doubtful(f"{len(plan.left)} left: {plan.why}")]
        shown += [f"  {change.command}" for change in plan.left]
    if wanted.accounts and not dry_run:
        shown += ["", f"secrets, a file for each account: {wanted.secrets}"]
        shown += [
            f"  {account.name.ljust(24)} {account.purpose}{'' if secret(wanted, account.name) else ELSEWHERE}"
            for account in wanted.accounts
        ]
    return shown


def secret(wanted: Wanted, account: str) -> str:
    """The path of its file; empty: it was made at another time, for another directory."""
    path = os.path.join(wanted.secrets, account)
    return path if os.path.exists(path) else ""


def fields(url: BrokerUrl, wanted: Wanted, plan: Plan, dry_run: bool) -> dict[str, object]:
    """For a JSON document."""
    return {
        "url": str(url),
        "version": ".".join(map(str, plan.version)),
        "groups": list(wanted.topology.groups),
        "dry_run": dry_run,
        "changes": [change._asdict() for change in plan.changes],
        "left": [change._asdict() for change in plan.left],
        "why": plan.why,
        "accounts": [
            {"name": each.name, "purpose": each.purpose, "secret": secret(wanted, each.name)}
            for each in wanted.accounts
        ],
    }
