"""``penstock resume``: let paused stages go on."""

from __future__ import annotations

import click

from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, run_option
from penstock.cli.pause import change


@click.command(cls=VerbCommand, examples=["penstock resume detect", "penstock resume"])
@click.argument("stages", metavar="[STAGE]...", nargs=-1)
@run_option
@json_option
def resume(stages: tuple[str, ...], name: str | None, as_json: bool) -> None:
    """Let paused stages go on.

    Without STAGE all of them.
    """
    change(stages, name, as_json=as_json, paused=False)
