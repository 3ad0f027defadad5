"""``penstock events``: what has happened in a run, while it goes on and after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from penstock.cli import chronicle, statedir, terminal
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, run_option, state_option
from penstock.errors import UserError
from penstock.pipeline.place import near
from penstock.runtime import client
from penstock.runtime.client import Run
from penstock.runtime.supervisor import journal

EXAMPLES = ("penstock events", "penstock events -f --json")


class NothingKept(UserError):
    """No run has kept its events there."""

    exit_code = 3


@click.command(cls=VerbCommand, examples=EXAMPLES)
@click.option("-f", "--follow", is_flag=True, help="Go on until the pipeline ends.")
@run_option
@state_option
@json_option
def events(follow: bool, name: str | None, state: Path | None, as_json: bool) -> None:
    """Show what has happened in a run.

    Starts, deaths with their causes, restarts, scaling, dead letters: from the beginning of the run that
    goes on, or of the last one. The last ten runs are kept, in events/ of the state directory. With --json,
    one document a line; each has the name of its event under "event".
    """
    expected = 0
    if client.is_afar():
        records = client.history(client.find(name), follow=follow)
    else:
        records = _records(statedir.find(state, name), follow=follow)
    for record in records:
        if gap := chronicle.missing(expected, record):
            terminal.talk(terminal.dim(gap))
        expected = record["n"] + 1
        _show(record, as_json=as_json)


def _records(where: Path, *, follow: bool) -> Iterator[dict[str, Any]]:
    """Of the run that goes on from its own mouth, if somebody follows it; else what it has written down."""
    directory = str(where / "events")
    if follow and (run := _running(where)):
        return client.follow(run)
    last = journal.latest(directory)
    if last is None:
        raise NothingKept(f"no run has kept its events in {near(directory)}")
    return journal.read(directory, last)


def _running(where: Path) -> Run | None:
    """The run that keeps its state there; of several the last that was started."""
    found = [run for run in client.runs() if Path(run.state_dir) == where.resolve()]
    return found[-1] if found else None


def _show(record: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        terminal.data(json.dumps({"schema": "penstock.event/1", **record}, ensure_ascii=False))
    else:
        terminal.data(chronicle.line(record))
