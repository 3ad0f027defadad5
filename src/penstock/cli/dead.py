"""``penstock dead``: the items that could not be done, why, what was in them, and what becomes of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand, VerbFamily
from penstock.cli.options import json_option, pipeline_option, state_option
from penstock.cli.sieve import Filed, Sieve, sieve_options
from penstock.cli.table import table
from penstock.errors import UserError
from penstock.pipeline.place import near

if TYPE_CHECKING:
    from penstock.message.letter import Letter

SHOWN = 50
"""Letters of a list, unless more are asked for: each is read whole, arrays included."""
HEADER = ("ITEM", "STAGE", "FAILURES", "DIED", "CAUSE")
FIELDS = ("id", "pipeline", "stage", "link", "attempts", "failures", "cause", "traceback", "when")


def yes_option(command: Any) -> Any:
    """``--yes``: the answer to the question, given beforehand."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)


class NoSuchLetter(UserError):
    """No dead letter goes by that name."""

    exit_code = 3


@click.group(cls=VerbFamily, examples=["penstock dead list", "penstock dead show camera/0:17"])
def dead() -> None:
    """Read, put back, export and discard the items that kept failing.

    They are files in the pipeline's state directory, so this works while it runs and long after. Jobs that
    are dead lie in the store of jobs: `penstock tasks list --state dead`.
    """


@dead.command(
    "list", cls=VerbCommand, examples=["penstock dead list", "penstock dead list --stage detect --since 2h"]
)
@sieve_options(SHOWN)
@pipeline_option
@state_option
@click.option("-q", "--quiet", is_flag=True, help="Only their names, one a line.")
@json_option
def list_(name: str | None, state: Path | None, limit: int, quiet: bool, as_json: bool, **sieve: Any) -> None:
    """Show dead letters, the newest last."""
    from penstock.cli import statedir

    directory = statedir.find(state, name) / "dead"
    letters, more = Sieve(**sieve).newest(directory, limit)
    if as_json:
        found = [fields(*each) for each in letters]
        terminal.data(document("dead", directory=str(directory), more=more, letters=found))
    elif quiet:
        _print([path.stem for path, _ in letters])
    elif not letters:
        terminal.talk(_none(directory, sieve))
    else:
        _print(_table(letters))
        if any(map(_is_requeued, letters)):
            terminal.talk(terminal.dim("those requeued are on their way, or wait for the next run"))
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


@dead.command(
    cls=VerbCommand,
    examples=["penstock dead discard --id camera/0:17", "penstock dead discard --stage detect --yes"],
)
@sieve_options(0)
@yes_option
@pipeline_option
@state_option
@json_option
def discard(name: str | None, state: Path | None, limit: int, yes: bool, as_json: bool, **sieve: Any) -> None:
    """Delete dead letters: those that are shown, and no others.

    They are gone for good. Without a filter all are meant.
    """
    from penstock.cli import statedir

    letters = _resolve(statedir.find(state, name) / "dead", sieve, limit)
    _confirm(letters, "discard", yes=yes)
    for path, _ in letters:
        path.unlink(missing_ok=True)  # somebody else may have been quicker
    if as_json:
        terminal.data(document("discard", letters=[fields(*each) for each in letters]))
    else:
        terminal.talk(f"discarded {_several(letters)}")


@dead.command(
    cls=VerbCommand,
    examples=["penstock dead requeue --id camera/0:17", "penstock dead requeue --stage detect --yes"],
)
@sieve_options(0)
@yes_option
@pipeline_option
@state_option
@json_option
def requeue(name: str | None, state: Path | None, limit: int, yes: bool, as_json: bool, **sieve: Any) -> None:
    """Put dead letters back: those that are shown, and no others.

    The stage that could not do them gets them again, under their old ids and with all their tries: at once
    where the pipeline runs, else with its next run. Each is kept until it is done, or a dead letter again.
    Without a filter all are meant.
    """
    from penstock.cli import origin, statedir
    from penstock.message import letter as letters

    directory = statedir.find(state, name)
    found = _resolve(directory / "dead", sieve, limit, dead=True)
    home = origin.find(directory)
    home.refuse_strangers(letter for _, letter in found)
    _confirm(found, "requeue", yes=yes)
    moved = [(path, letter) for old, letter in found if (path := letters.requeue(old))]
    now = home.put_back(sorted({letter.link for _, letter in moved}))
    if as_json:
        told = [{**fields(*each), "now": each[1].link in now} for each in moved]
        terminal.data(document("requeue", letters=told))
    else:
        terminal.talk(f"requeued {_several(moved)}{_whither([letter for _, letter in moved], now)}")


@dead.command(
    cls=VerbCommand, examples=["penstock dead export letters", "penstock dead export bad --cause jpeg"]
)
@click.argument("target", metavar="DIRECTORY", type=click.Path(path_type=Path, file_okay=False))
@sieve_options(0)
@pipeline_option
@state_option
@json_option
def export(
    target: Path, name: str | None, state: Path | None, limit: int, as_json: bool, **sieve: Any
) -> None:
    """Write dead letters as JSON lines, and their arrays as npz files beside.

    The letters stay where they are. An array is {"$array": NAME, ...} in its line, NAME in the npz file
    that its line names; bytes are {"$bytes": BASE64}.
    """
    from penstock.cli import statedir
    from penstock.cli.shipment import ship

    letters = _resolve(statedir.find(state, name) / "dead", sieve, limit)
    lines = ship(letters, target, fields)
    if as_json:
        terminal.data(document("export", file=str(lines), letters=[fields(*each) for each in letters]))
    else:
        terminal.talk(f"wrote {_several(letters)} to {lines}")


def fields(path: Path, letter: Letter) -> dict[str, object]:
    """A letter for a JSON document, without its payload."""
    known = {name: getattr(letter, name) for name in FIELDS}
    return {"path": str(path), **known, "requeued": _is_requeued((path, letter))}


def about(path: Path, letter: Letter, content: str) -> str:
    """A letter for people."""
    rows = [
        ["item", terminal.strong(letter.id)],
        ["stage", f"{letter.stage}   by {letter.link}"],
        ["died", f"{_when(letter)}, after {letter.failures} failures in {letter.attempts} deliveries"],
        ["cause", terminal.bad(letter.cause)],
        *([["now", "requeued"]] if _is_requeued((path, letter)) else []),
        ["file", near(str(path))],
    ]
    parts = ["\n".join(table(rows)), letter.traceback.rstrip(), f"{terminal.strong('value')}   {content}"]
    return "\n\n".join(part for part in parts if part)


def _none(directory: Path, sieve: dict[str, Any]) -> str:
    like = " like that" if any(sieve.values()) else ""
    return f"no dead letters{like} in {near(str(directory))}"


def _resolve(directory: Path, sieve: dict[str, Any], limit: int, *, dead: bool = False) -> list[Filed]:
    """Exactly the letters that are meant: from here on these and no others, whatever dies meanwhile.
    ``dead``: none that was put back already.

    Raises:
        NoSuchLetter: none is.
    """
    found, _ = Sieve(**sieve).newest(directory, limit, dead=dead)
    if not found:
        raise NoSuchLetter(_none(directory, sieve))
    return found


def _confirm(letters: list[Filed], what: str, *, yes: bool) -> None:
    """Show them and ask, unless that was answered beforehand.

    Raises:
        UserError: nobody can be asked.
    """
    for line in _table(letters):
        terminal.talk(line)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"--yes is missing: nobody can be asked here whether to {what} {_several(letters)}")
    click.confirm(f"{what} {_several(letters)}?", abort=True, err=True)


def _several(letters: Sequence[object]) -> str:
    return f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'}"


def _whither(letters: Sequence[Letter], now: Sequence[str]) -> str:
    """What becomes of those that were put back."""
    at_once = sorted({letter.stage for letter in letters if letter.link in now})
    later = sorted({letter.pipeline for letter in letters if letter.link not in now})
    parts = [f"{', '.join(at_once)} gets them again now"] if at_once else []
    if later:
        parts.append(f"{'the others' if at_once else 'they'} wait for the next run of {', '.join(later)}")
    return "".join(f"; {part}" for part in parts)


def _table(letters: Sequence[Filed]) -> list[str]:
    """A line for each; where some were put back, with a word for which."""
    rows, header = [_row(letter) for _, letter in letters], list(HEADER)
    if any(map(_is_requeued, letters)):
        header.insert(-1, "NOW")
        for row, filed in zip(rows, letters, strict=True):
            row.insert(-1, "requeued" if _is_requeued(filed) else "dead")
    return table(rows, header, right=[2])


def _is_requeued(filed: Filed) -> bool:
    return filed[0].suffix == ".requeued"


def _row(letter: Letter) -> list[str]:
    return [letter.id, letter.stage, str(letter.failures), _when(letter), terminal.bad(letter.cause)]


def _when(letter: Letter) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter.when))


def _print(lines: list[str]) -> None:
    for line in lines:
        terminal.data(line)
