"""``penstock restart``: new workers for old ones, one by one, while it runs."""

from __future__ import annotations

import re
import time
from typing import Any

import click

from penstock.cli import figures, terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, run_option, timeout_option
from penstock.cli.stagename import refuse_unknown
from penstock.errors import TimedOut
from penstock.runtime import client
from penstock.runtime.client import Run

Place = tuple[str, int | None]


def _place(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> Place | None:
    if text is None:
        return None
    found = re.fullmatch(r"([^/]+)(?:/(\d+))?", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not STAGE or STAGE/REPLICA, like detect/1")
    return found[1], None if found[2] is None else int(found[2])


EXAMPLES = ("penstock restart detect", "penstock restart detect/1 --drain-first", "penstock restart")


@click.command(cls=VerbCommand, examples=EXAMPLES)
@click.argument("place", metavar="[STAGE[/REPLICA]]", required=False, callback=_place)
@click.option(
    "--drain-first",
    is_flag=True,
    help="End each worker before its successor is started: it holds what only one can.",
)
@timeout_option
@run_option
@json_option
def restart(
    place: Place | None, drain_first: bool, timeout: float | None, name: str | None, as_json: bool
) -> None:
    """Replace workers by new ones, without a gap.

    One after another, without STAGE all of them: the successor is started, and when it is ready the old one
    finishes what it holds. If it does not get ready, the old one goes on, and the exit code is 1. A source
    ends first, when all it made is through; then it begins anew. Exit code 6 when --timeout has passed
    before; the restarting goes on then.
    """
    run = client.find(name)
    stage, replica = place or (None, None)
    if stage is not None:
        refuse_unknown([stage], client.call(run, "ps"))
    until = None if timeout is None else time.monotonic() + timeout
    asked = client.call(run, "restart", stage=stage, replica=replica, drain_first=drain_first)["workers"]
    done = []
    for worker in asked:
        began = time.monotonic()
        answer = _await(run, worker, until, timeout)
        done.append({"worker": worker["worker"], "before": answer["before"], "after": answer["after"]})
        if not as_json:
            terminal.data(f"{worker['worker']}   restarted   {figures.duration(time.monotonic() - began)}")
    if as_json:
        terminal.data(document("restart", workers=done))


def _await(run: Run, worker: dict[str, Any], until: float | None, timeout: float | None) -> dict[str, Any]:
    left = None if until is None else max(0.0, until - time.monotonic())
    try:
        return client.call(run, "renewal", number=worker["number"], timeout=left)
    except TimedOut:
        raise TimedOut(
            f"{worker['worker']} was not restarted within {timeout:g} s; it goes on all the same"
        ) from None
