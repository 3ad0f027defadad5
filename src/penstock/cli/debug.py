"""``penstock debug``: one worker of a pipeline that runs, in this terminal, under a debugger."""

from __future__ import annotations

import json
import os
import re
from typing import NoReturn

import click

from penstock.cli.group import VerbCommand
from penstock.cli.options import run_option
from penstock.cli.stagename import refuse_unknown
from penstock.errors import UserError
from penstock.runtime import boot, client

OURS = ("TERM", "COLORTERM", "NO_COLOR", "LINES", "COLUMNS")
"""What is of this terminal, and not of that in which the pipeline was started."""
PORT = 5678
"""Where editors look for debugpy."""


def _place(_ctx: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, int]:
    stage, _, replica = text.partition("/")
    if not stage or (replica and not replica.isdigit()):
        raise click.BadParameter(f"{text!r} is not STAGE or STAGE/REPLICA, like detect/1")
    return stage, int(replica or 0)


def _lines(_ctx: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> list[tuple[str, int]]:
    return [_line(text) for text in texts]


def _line(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.+):(\d+)", text)
    if found is None or not os.path.isfile(found[1]):
        raise click.BadParameter(f"{text!r} is not FILE:LINE of a file that there is, like steps.py:12")
    return os.path.abspath(found[1]), int(found[2])


EXAMPLES = (
    "penstock debug detect",
    "penstock debug detect/1 --break steps.py:12",
    "penstock debug detect --debugpy",
)
EXITS = (
    ("0", "the worker was given back, or the pipeline has drained"),
    ("3", "the pipeline has ended meanwhile"),
    ("4, 5", "there is no such worker; debugpy is not installed for it"),
)


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"Exit codes": EXITS})
@click.argument("place", metavar="STAGE[/REPLICA]", callback=_place)
@click.option(
    "--break",
    "breaks",
    metavar="FILE:LINE",
    multiple=True,
    callback=_lines,
    help="Stop there, too.",
)
@click.option(
    "--debugpy",
    "port",
    metavar="PORT",
    type=int,
    is_flag=False,
    flag_value=PORT,
    help=f"Wait for an editor's debugger on this port instead of pdb.  [{PORT}]",
)
@run_option
def debug(
    place: tuple[str, int], breaks: list[tuple[str, int]], port: int | None, name: str | None
) -> NoReturn:
    """Run one worker of a pipeline here, under a debugger.

    It runs under its own interpreter, in place of the worker that sat there, which first finishes what it
    holds; all others go on. It stops at `breakpoint()`, at --break, and at an exception, before its item
    fails.
    `q` and Ctrl-C give the item back untried, and the ordinary worker returns. No item times out meanwhile.
    """
    run = client.find(name)
    if run.trunk is not None:
        raise UserError("debug runs a worker in the terminal: it is typed on the machine of the run")
    stage, replica = place
    refuse_unknown([stage], client.call(run, "ps"))
    found = client.call(run, "surroundings", stage=stage, replica=replica)
    wish = {"run": run._asdict(), "stage": stage, "replica": replica, "breaks": breaks, "debugpy": port}
    mine = {name: os.environ[name] for name in OURS if name in os.environ}
    command = [*found["command"], boot.__file__, "debug", json.dumps(wish)]
    os.execve(command[0], command, {**found["environment"], **mine})  # noqa: S606  there is none to need
