"""``penstock scale``: another number of workers for a stage, while it runs."""

from __future__ import annotations

import re
import time

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, run_option, timeout_option
from penstock.cli.stagename import refuse_unknown
from penstock.errors import TimedOut
from penstock.runtime import client
from penstock.runtime.client import Run

LOOK = 0.05
"""Seconds between two looks while waiting for the new number."""

Wish = tuple[str, int]


def _wishes(_ctx: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> list[Wish]:
    return [_wish(text) for text in texts]


def _wish(text: str) -> Wish:
    found = re.fullmatch(r"(.+)=(\d+)", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not STAGE=NUMBER, like detect=4")
    return found[1], int(found[2])


@click.command(cls=VerbCommand, examples=["penstock scale detect=4", "penstock scale detect=1 save=2 --wait"])
@click.argument("wishes", metavar="STAGE=NUMBER...", nargs=-1, required=True, callback=_wishes)
@click.option("--wait", is_flag=True, help="Return when all of them are ready, and none too many is left.")
@timeout_option
@run_option
@json_option
def scale(wishes: list[Wish], wait: bool, timeout: float | None, name: str | None, as_json: bool) -> None:
    """Change how many workers a stage has.

    Workers that are one too many finish what they hold first; nothing is lost either way. Exit code 6 when
    --timeout has passed before --wait is content.
    """
    run = client.find(name)
    refuse_unknown((stage for stage, _ in wishes), client.call(run, "ps"))
    answers = [client.call(run, "scale", stage=stage, replicas=number) for stage, number in wishes]
    if wait:
        _wait(run, dict(wishes), timeout)
    if as_json:
        terminal.data(
            document("scale", stages=[{k: v for k, v in each.items() if k != "schema"} for each in answers])
        )
    else:
        for each in answers:
            terminal.data(f"{each['stage']}   {each['before']} → {each['after']}")


def _wait(run: Run, wanted: dict[str, int], timeout: float | None) -> None:
    until = None if timeout is None else time.monotonic() + timeout
    while not _reached(run, wanted):
        if until is not None and time.monotonic() > until:
            raise TimedOut(
                f"{', '.join(wanted)} did not get that far within {timeout:g} s; it goes on all the same"
            )
        time.sleep(LOOK)


def _reached(run: Run, wanted: dict[str, int]) -> bool:
    stages = client.call(run, "ps")["stages"]
    return all(
        stage["ready"] == len(stage["replicas"]) == wanted[stage["name"]]
        for stage in stages
        if stage["name"] in wanted
    )
