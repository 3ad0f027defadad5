"""``penstock dead``: the items that could not be done, why, and what was in them."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand, VerbFamily
from penstock.cli.options import json_option, pipeline_option, state_option
from penstock.cli.table import table
from penstock.errors import UserError
from penstock.pipeline.place import near

if TYPE_CHECKING:
    from penstock.message.letter import Letter

SHOWN = 50
"""Letters of a list, unless more are asked for: each is read whole, arrays included."""
HEADER = ("ITEM", "STAGE", "FAILURES", "DIED", "CAUSE")
FIELDS = ("id", "pipeline", "stage", "link", "attempts", "failures", "cause", "traceback", "when")


class NoSuchLetter(UserError):
    """No dead letter goes by that name."""

    exit_code = 3


@click.group(cls=VerbFamily, examples=["penstock dead list", "penstock dead show camera/0:17"])
def dead() -> None:
    """Read the items that kept failing.

    They are files in the pipeline's state directory, so this works while it runs and long after.
    """


@dead.command(
    "list", cls=VerbCommand, examples=["penstock dead list", "penstock dead list --stage detect --json"]
)
@pipeline_option
@state_option
@click.option("--stage", help="Only those that this stage could not do.")
@click.option(
    "-n",
    "newest",
    metavar="COUNT",
    type=click.IntRange(min=0),
    default=SHOWN,
    show_default=True,
    help="How many of the newest; 0 for all.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only their names, one a line.")
@json_option
def list_(
    name: str | None, state: Path | None, stage: str | None, newest: int, quiet: bool, as_json: bool
) -> None:
    """Show dead letters, the newest last."""
    from penstock.cli import statedir

    directory = statedir.find(state, name) / "dead"
    letters, more = _newest(directory, stage, newest)
    if as_json:
        found = [fields(*each) for each in letters]
        terminal.data(document("dead", directory=str(directory), more=more, letters=found))
    elif quiet:
        _print([path.stem for path, _ in letters])
    elif not letters:
        terminal.talk(f"no dead letters{f' of {stage}' if stage else ''} in {near(str(directory))}")
    else:
        _print(table([_row(letter) for _, letter in letters], HEADER, right=[2]))
        if more:
            terminal.talk(terminal.dim("there are older ones; -n 0 shows all"))


@dead.command(cls=VerbCommand, examples=["penstock dead show", "penstock dead show camera/0:17"])
@click.argument("item", required=False)
@pipeline_option
@state_option
@json_option
def show(item: str | None, name: str | None, state: Path | None, as_json: bool) -> None:
    """Show one dead letter: why it died, and what is in it.

    ITEM is its id, or the beginning of its file's name. Without it, the newest.
    """
    from penstock.cli import statedir
    from penstock.cli.preview import preview
    from penstock.message import letter as letters

    directory = statedir.find(state, name) / "dead"
    path = letters.find(directory, item or "")
    if path is None:
        raise NoSuchLetter(
            f"there is no dead letter{f' of {item}' if item else ''} in {near(str(directory))}"
        )
    letter = letters.read(path)
    content = preview(letter)
    if as_json:
        terminal.data(document("letter", **fields(path, letter), value=content))
    else:
        terminal.data(about(path, letter, content))


def fields(path: Path, letter: Letter) -> dict[str, object]:
    """A letter for a JSON document, without its payload."""
    return {"path": str(path), **{name: getattr(letter, name) for name in FIELDS}}


def about(path: Path, letter: Letter, content: str) -> str:
    """A letter for people."""
    rows = [
        ["item", terminal.strong(letter.id)],
        ["stage", f"{letter.stage}   by {letter.link}"],
        ["died", f"{_when(letter)}, after {letter.failures} failures in {letter.attempts} deliveries"],
        ["cause", terminal.bad(letter.cause)],
        ["file", near(str(path))],
    ]
    parts = ["\n".join(table(rows)), letter.traceback.rstrip(), f"{terminal.strong('value')}   {content}"]
    return "\n\n".join(part for part in parts if part)


def _newest(directory: Path, stage: str | None, limit: int) -> tuple[list[tuple[Path, Letter]], bool]:
    """The newest letters, the oldest of them first, and whether there are more."""
    from penstock.message import letter as letters

    every = ((path, letters.read(path)) for path in reversed(letters.list_letters(directory)))
    wanted = (each for each in every if stage is None or each[1].stage == stage)
    found = list(islice(wanted, limit or None))
    return found[::-1], next(wanted, None) is not None


def _row(letter: Letter) -> list[str]:
    return [letter.id, letter.stage, str(letter.failures), _when(letter), terminal.bad(letter.cause)]


def _when(letter: Letter) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter.when))


def _print(lines: list[str]) -> None:
    for line in lines:
        terminal.data(line)
