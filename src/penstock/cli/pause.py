"""``penstock pause``: hold stages of a running pipeline; ``resume`` (beside it) lets them go on."""

from __future__ import annotations

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, run_option
from penstock.cli.stagename import refuse_unknown
from penstock.runtime import client


@click.command(cls=VerbCommand, examples=["penstock pause detect", "penstock pause"])
@click.argument("stages", metavar="[STAGE]...", nargs=-1)
@run_option
@json_option
def pause(stages: tuple[str, ...], name: str | None, as_json: bool) -> None:
    """Have stages begin nothing more, until `resume`.

    Without STAGE all of them. What a worker has in hand it finishes; what comes meanwhile waits, and those
    before it wait too when their links are full. A source is not asked for its next item. A pipeline that
    drains goes on by itself.
    """
    change(stages, name, as_json=as_json, paused=True)


def change(stages: tuple[str, ...], name: str | None, *, as_json: bool, paused: bool) -> None:
    """Pause these stages or let them go on, all where none is named, and say which.

    Raises:
        UserError: there is no such stage; nothing was changed.
    """
    run = client.find(name)
    before = client.call(run, "ps")
    refuse_unknown(stages, before)
    answer = client.call(run, "pause", stages=list(stages), paused=paused)
    if as_json:
        terminal.data(document("pause", stages=answer["stages"], paused=answer["paused"]))
    elif stages:
        for stage in answer["stages"]:
            terminal.data(f"{stage}   {'paused' if paused else 'goes on'}")
    elif paused:
        terminal.data(f"{run.pipeline} is paused: no stage begins anything more")
    else:
        held = [stage["name"] for stage in before["stages"] if stage["paused"]]
        terminal.data(f"{run.pipeline} goes on: {', '.join(held) or 'nothing'} was paused")
