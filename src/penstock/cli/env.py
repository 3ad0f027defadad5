"""``penstock env``: the environments that stages and tasks run in: lock them, build them, look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand, VerbFamily
from penstock.cli.options import in_seconds, json_option

EXAMPLES = (
    "penstock env init torch --python 3.13",
    "penstock env lock",
    "penstock env build",
    "penstock env list",
)
EXITS = (
    ("0", "done"),
    ("1", "`check`: something is wrong"),
    ("4", "what an environment is made from is written wrong or cannot be met, or its lock is stale"),
    ("5", "a Python is missing, or packages cannot be had or installed"),
)


@click.group(cls=VerbFamily, examples=EXAMPLES, terms={"Exit codes": EXITS})
def env() -> None:
    """Lock, build and look at the environments of stages and tasks.

    They are described in penstock.toml, [envs.NAME], locked in penstock.lock beside it, and built in
    PENSTOCK_CACHE_DIR, each once, whoever uses it.
    """


names_argument = click.argument("names", metavar="[NAME]...", nargs=-1)
offline_option = click.option("--offline", is_flag=True, help="Take nothing from the network.")
frozen_option = click.option(
    "--frozen", is_flag=True, help="Take penstock.lock as it is, without a look at what it was made from."
)


@env.command(
    cls=VerbCommand,
    examples=[
        "penstock env init torch --python 3.13",
        "penstock env init vision environment.yml",
        "penstock env init shared conda-lock.yml",
    ],
)
@click.argument("name")
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--python", metavar="VERSION", default="", help="The Python that it has.")
def init(name: str, file: str | None, python: str) -> None:
    """Write an environment into penstock.toml.

    It is made from FILE: an environment.yml, requirements, the folder of a pyproject.toml, or what another
    tool has locked. Without one, envs/NAME.txt is made, for requirements.
    """
    from penstock.cli import envinit

    for line in envinit.write(Path.cwd(), name, file, python):
        terminal.talk(f"  {line}")
    terminal.talk(f"  next     {terminal.strong(f'penstock env lock {name}')}")


@env.command(cls=VerbCommand, examples=["penstock env lock", "penstock env lock torch --upgrade"])
@names_argument
@click.option("--upgrade", is_flag=True, help="The newest versions, and not those that are locked.")
@offline_option
def lock(names: tuple[str, ...], upgrade: bool, offline: bool) -> None:
    """Find out which packages environments are made of, and write it into penstock.lock.

    Versions that are locked stay where they can. All environments, where none is named; what is not described
    any more goes.
    """
    from penstock.cli import envproject

    here = envproject.here()
    changes = here.lock(names, upgrade=upgrade, offline=offline)
    for each in changes:
        terminal.data(each)


@env.command(cls=VerbCommand, examples=["penstock env build", "penstock env build torch --offline"])
@names_argument
@offline_option
@frozen_option
def build(names: tuple[str, ...], offline: bool, frozen: bool) -> int:
    """Build environments that are not there yet, as penstock.lock has them.

    `penstock run` does so, too.
    """
    from penstock.cli import envproject

    here = envproject.here()
    try:
        found = here.build(names, offline=offline, frozen=frozen)
    except KeyboardInterrupt:
        terminal.talk("stopped: those that were whole are there, no half is; `penstock env build` goes on")
        return 130
    for each in found.values():
        terminal.data(f"{each.name}   Python {each.probe.version}   {each.key}")
    return 0


@env.command("list", cls=VerbCommand, examples=["penstock env list", "penstock env list --all --json"])
@click.option("--all", "everything", is_flag=True, help="Those of other projects, too.")
@json_option
def listed(everything: bool, as_json: bool) -> None:
    """Show environments: what they are, their size, and who uses them.

    STATE is `ready`, `in use`, `not locked`, `not built`, `stale` (what it is made from has changed), or
    `changed` (somebody has installed into it: the next run builds it anew); of a Python that exists, `ready`,
    `missing`, or `unfit` (too old for workers).
    """
    from penstock.cli import envproject, envview

    rows = envview.rows(envproject.here(), everything=everything)
    if as_json:
        terminal.data(document("env-list", environments=[row.as_fields() for row in rows]))
    else:
        terminal.data("\n".join(envview.lines(rows)))


@env.command(cls=VerbCommand, examples=["penstock env show torch"])
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one environment with its packages."""
    from penstock.cli import envproject, envview

    found = envview.one(envproject.here(), name)
    if as_json:
        terminal.data(document("env", **found))
    else:
        terminal.data("\n".join(envview.told(found)))


@env.command(
    cls=VerbCommand,
    examples=["penstock env shell torch", "penstock env shell torch -- python -c 'import torch'"],
    context_settings={"ignore_unknown_options": True},
)
@click.argument("name")
@click.argument("command", metavar="[-- COMMAND]...", nargs=-1, type=click.UNPROCESSED)
def shell(name: str, command: tuple[str, ...]) -> None:
    """Run a shell, or a command, in an environment.

    It finds there what a worker would. Exit code: that of the command.
    """
    from penstock.cli import envproject, envshell

    envshell.shell(envproject.here(), name, command)


@env.command(cls=VerbCommand, examples=["penstock env check", "penstock env check torch --json"])
@names_argument
@json_option
def check(names: tuple[str, ...], as_json: bool) -> int:
    """Look for what would keep environments from being built: stale locks, missing Pythons.

    Nothing is built, and nothing is taken from the network. Exit code 1 when something is wrong.
    """
    from penstock.cli import envproject, envview, finding

    findings = envview.examine(envproject.here(), names)
    if as_json:
        terminal.data(document("env-check", **finding.as_fields(findings)))
    else:
        terminal.data("\n".join([*finding.lines(findings), "", finding.summary(findings)]))
    return finding.verdict(findings)


@env.command(
    cls=VerbCommand,
    examples=["penstock env clean", "penstock env clean --unused 7d", "penstock env clean --all"],
)
@click.option(
    "--unused",
    metavar="TIME",
    default="30d",
    callback=in_seconds,
    help="What nobody has used for so long.  [default: 30d]",
)
@click.option("--all", "everything", is_flag=True, help="Whatever is not in use.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
def clean(unused: float, everything: bool, dry_run: bool, as_json: bool) -> None:
    """Remove environments that nobody uses, and what deaths have left of some.

    What workers need besides packages of yours goes, too, where no worker has had it for so long.

    One that is in use stays, and so does penstock.lock: what is needed again is built again.
    """
    from penstock.cli import envclean

    gone = envclean.clean(0.0 if everything else unused, dry_run=dry_run)
    if as_json:
        terminal.data(document("env-clean", removed=gone, dry_run=dry_run))
    else:
        terminal.data("\n".join(envclean.lines(gone, dry_run=dry_run)))


@env.command(
    cls=VerbCommand,
    examples=[
        "penstock env export vision > environment.yml",
        "penstock env export torch --format requirements > all.txt",
        "penstock env export vision --format dockerfile",
    ],
)
@click.argument("name")
@click.option(
    "--format",
    "form",
    type=click.Choice(["environment.yml", "explicit", "requirements", "dockerfile"]),
    default="environment.yml",
    show_default=True,
    help="For conda, as a list of addresses for conda, for pip with hashes, or as lines for an image.",
)
def export(name: str, form: Any) -> None:
    """Write an environment, as it is locked, in the words of another tool."""
    from penstock.cli import envproject

    terminal.data(envproject.here().export(name, form).rstrip("\n"))
