"""``penstock broker``: set up the RabbitMQ that jobs go over, and examine it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand, VerbFamily
from penstock.cli.options import json_option

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
@click.argument("url", metavar="[URL]", required=False)
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


def target(url: str | None, app: str | None, groups: tuple[str, ...]) -> tuple[BrokerUrl, list[str]]:
    """The broker and the groups that are meant.

    Raises:
        UserError: there is no broker or no group.
    """
    from penstock.cli import appfile
    from penstock.config.groups import named
    from penstock.rabbitmq.url import parse
    from penstock.tasks.home import BROKER, broker

    if url and app is None and "://" not in url:
        url, app = None, url
    path, tasks = appfile.tasks(app) if app else (None, [])
    directory = str(path.parent) if path else os.getcwd()
    said = broker(directory, os.environ, url or "")
    if not said:
        raise click.UsageError(f"say which broker: its URL, {BROKER}, or [tasks] broker in penstock.toml")
    found = set(groups) or {task.group for task in tasks} or set(named(directory))
    if not found:
        raise click.UsageError("say which groups: an app, or --group")
    return parse(said), sorted(found)


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
