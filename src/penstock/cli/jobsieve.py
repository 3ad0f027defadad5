"""Which jobs are meant: the same words for listing them and for doing something with them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from penstock.cli import jobstore, jobview, terminal
from penstock.cli.options import since
from penstock.errors import UserError
from penstock.tasks.filter import Filter
from penstock.tasks.handle import NoSuchJob
from penstock.tasks.job import STATES, JobRow

Command = TypeVar("Command", bound=Callable[..., Any])

OPTIONS = (
    click.option("--until", metavar="TIME", callback=since, help="Only those submitted before."),
    click.option(
        "--since", metavar="TIME", callback=since, help='Only those submitted since: "2h" ago, or a date.'
    ),
    click.option("--cause", metavar="TEXT", help="Only those whose last failure has this in it."),
    click.option("--study", metavar="NAME", help="Only trials of this study."),
    click.option("--task", metavar="NAME", help="Only calls of this task."),
    click.option(
        "--state",
        "states",
        type=click.Choice(STATES),
        multiple=True,
        help="Only in this state; may be repeated.",
    ),
    click.option("--group", metavar="NAME", help="Only those of this group."),
)


def jobsieve_options(command: Command) -> Command:
    """The filters."""
    for option in OPTIONS:
        command = option(command)
    return command


def meant(said: dict[str, Any], usual: Sequence[str] = ()) -> Filter:
    """As the store takes it. ``usual``: the states that are meant where none is said."""
    return Filter(
        group=said["group"] or "",
        task=said["task"] or "",
        states=said["states"] or usual,
        since=_milliseconds(said["since"]),
        until=_milliseconds(said["until"]),
        cause=said["cause"] or "",
        by=f"study {said['study']}" if said["study"] else "",
    )


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def chosen(
    ids: Sequence[str], said: dict[str, Any], verb: str, *, able: Sequence[str], yes: bool
) -> list[JobRow]:
    """Exactly the jobs that are meant, by their ids or by filters: these and no others, whatever is submitted
    meanwhile. Those of a filter are shown, and somebody is asked, unless that was answered beforehand.

    Args:
        ids: Jobs that are named.
        said: The filters.
        verb: What is to be done with them.
        able: The states in which that can be done.
        yes: It was answered.

    Raises:
        NoSuchJob: none is meant.
        UserError: nothing is said, or ids and filters; or nobody can be asked.
    """
    filtered = any(said.values())
    if ids and filtered:
        raise UserError("say which jobs, or what they are like; not both")
    if ids:
        return [jobstore.job(id).row for id in ids]
    if not filtered:
        raise UserError(
            f"say which jobs to {verb}: their ids, or what they are like, for example --group NAME"
        )
    rows = [row for row in jobstore.existing().jobs(meant(said, able)) if row.state in able][::-1]
    if not rows:
        raise NoSuchJob(f"there is no job like that to {verb}")
    _confirm(rows, verb, yes=yes)
    return rows


def _confirm(rows: Sequence[JobRow], verb: str, *, yes: bool) -> None:
    for line in jobview.table_of(rows):
        terminal.talk(line)
    if yes:
        return
    many = jobview.several(len(rows))
    if not sys.stdin.isatty():
        raise UserError(f"--yes is missing: nobody can be asked here whether to {verb} {many}")
    click.confirm(f"{verb} {many}?", abort=True, err=True)
