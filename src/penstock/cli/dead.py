"""``penstock dead``: what could not be done, why, what was in it, and what becomes of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand, VerbFamily
from penstock.cli.options import json_option, run_option, state_option
from penstock.cli.sieve import Sieve, sieve_options
from penstock.errors import UserError

if TYPE_CHECKING:
    from penstock.cli.casualty import Casualty
    from penstock.cli.farmorgue import FarMorgue
    from penstock.cli.morgue import Morgue

SHOWN = 50
"""Dead letters of a list, unless more are asked for."""


def yes_option(command: Any) -> Any:
    """``--yes``: the answer to the question, given beforehand."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)


class NoSuchLetter(UserError):
    """No dead letter goes by that name."""

    exit_code = 3


@click.group(cls=VerbFamily, examples=["penstock dead list", "penstock dead show camera/0:17"])
def dead() -> None:
    """Read, put back, export and discard what kept failing.

    That is items of pipelines, and jobs. They are kept in the store of the app in this directory
    (.penstock/jobs.db, or what PENSTOCK_JOBS says) until somebody decides, so this works while a pipeline
    runs and long after. Without -p both kinds are meant, of all pipelines here.
    """


@dead.command(
    "list", cls=VerbCommand, examples=["penstock dead list", "penstock dead list --stage detect --since 2h"]
)
@sieve_options(SHOWN)
@run_option
@state_option
@click.option("-q", "--quiet", is_flag=True, help="Only their names, one a line.")
@json_option
def list_(name: str | None, state: Path | None, limit: int, quiet: bool, as_json: bool, **sieve: Any) -> None:
    """Show dead letters, the newest last."""
    from penstock.cli import casualty
    from penstock.cli.morgue import morgue

    with morgue(state, name) as place:
        found, more = place.newest(Sieve(**sieve), limit)
    if as_json:
        letters = [each.fields() for each in found]
        terminal.data(document("dead", store=place.store, more=more, letters=letters))
    elif quiet:
        _print([each.name for each in found])
    elif not found:
        terminal.talk(_none(place, sieve))
    else:
        _print(casualty.listing(found))
        if any(each.requeued for each in found):
            terminal.talk(terminal.dim("those requeued are on their way, or wait for the next run"))
        if more:
            terminal.talk(terminal.dim("there are older ones; -n 0 shows all"))


@dead.command(cls=VerbCommand, examples=["penstock dead show", "penstock dead show camera/0:17"])
@click.argument("item", required=False)
@run_option
@state_option
@json_option
def show(item: str | None, name: str | None, state: Path | None, as_json: bool) -> None:
    """Show one dead letter: why it died, and what is in it.

    ITEM is its id or name; of a job, its id or number. Without it, the newest.
    """
    from penstock.cli.morgue import morgue

    with morgue(state, name) as place:
        found, _ = place.newest(Sieve(ids=(item,) if item else ()), 1)
        if not found:
            raise NoSuchLetter(f"there is no dead letter{f' of {item}' if item else ''} in {place}")
        text, value = _told(place, found[0])
    if as_json:
        terminal.data(document("letter", **found[0].fields(), value=value))
    else:
        terminal.data(text)


def _told(place: Morgue | FarMorgue, one: Casualty) -> tuple[str, str]:
    """It as people read it, and what is in it."""
    from penstock.cli import casualty, jobview
    from penstock.cli.preview import preview

    if one.kind == "item":
        content = preview(place.letter(one))
        return casualty.about(one, content), content
    row, attempts, body = place.call(one)
    content = jobview.arguments(body)
    return jobview.about(row, attempts, content), content


@dead.command(
    cls=VerbCommand,
    examples=["penstock dead discard --id camera/0:17", "penstock dead discard --stage detect --yes"],
)
@sieve_options(0)
@yes_option
@run_option
@state_option
@json_option
def discard(name: str | None, state: Path | None, limit: int, yes: bool, as_json: bool, **sieve: Any) -> None:
    """Delete dead letters: those that are shown, and no others.

    They are gone for good. Without a filter all are meant.
    """
    from penstock.cli.casualty import several
    from penstock.cli.morgue import morgue

    with morgue(state, name) as place:
        found = _resolve(place, sieve, limit)
        _confirm(found, "discard", yes=yes)
        place.discard(found)
    if as_json:
        terminal.data(document("discard", letters=[each.fields() for each in found]))
    else:
        terminal.talk(f"discarded {several(found)}")


@dead.command(
    cls=VerbCommand,
    examples=["penstock dead requeue --id camera/0:17", "penstock dead requeue --stage detect --yes"],
)
@sieve_options(0)
@yes_option
@run_option
@state_option
@json_option
def requeue(name: str | None, state: Path | None, limit: int, yes: bool, as_json: bool, **sieve: Any) -> None:
    """Put dead letters back: those that are shown, and no others.

    The stage that could not do an item gets it again, under its old id and with all its tries: at once where
    the pipeline runs, else with its next run. Each is kept until it is done, or a dead letter again. A job is
    ready again, with all its tries. Without a filter all are meant.
    """
    from penstock.cli.casualty import several
    from penstock.cli.morgue import morgue

    with morgue(state, name) as place:
        found = _resolve(place, sieve, limit, dead=True)
        place.refuse_strangers(found)
        _confirm(found, "requeue", yes=yes)
        moved, now = place.put_back(found)
    if as_json:
        told = [{**each.fields(), "now": each.name in now} for each in moved]
        terminal.data(document("requeue", letters=told))
    else:
        terminal.talk(f"requeued {several(moved)}{_whither(moved, now)}")


@dead.command(
    cls=VerbCommand, examples=["penstock dead export letters", "penstock dead export bad --cause jpeg"]
)
@click.argument("target", metavar="DIRECTORY", type=click.Path(path_type=Path, file_okay=False))
@sieve_options(0)
@run_option
@state_option
@json_option
def export(
    target: Path, name: str | None, state: Path | None, limit: int, as_json: bool, **sieve: Any
) -> None:
    """Write dead letters as JSON lines, and their arrays as npz files beside.

    The letters stay where they are. An array is {"$array": NAME, ...} in its line, NAME in the npz file
    that its line names; bytes are {"$bytes": BASE64}. The value of a job is what it was called with.
    """
    from penstock.cli.casualty import several
    from penstock.cli.morgue import morgue
    from penstock.cli.shipment import ship

    with morgue(state, name) as place:
        found = _resolve(place, sieve, limit)
        lines = ship(place, found, target)
    if as_json:
        terminal.data(document("export", file=str(lines), letters=[each.fields() for each in found]))
    else:
        terminal.talk(f"wrote {several(found)} to {lines}")


def _none(place: Morgue | FarMorgue, sieve: dict[str, Any]) -> str:
    return f"no dead letters{' like that' if any(sieve.values()) else ''} in {place}"


def _resolve(
    place: Morgue | FarMorgue, sieve: dict[str, Any], limit: int, *, dead: bool = False
) -> list[Casualty]:
    """Exactly those that are meant: from here on these and no others, whatever dies meanwhile. ``dead``: none
    that was put back already.

    Raises:
        NoSuchLetter: none is.
    """
    found, _ = place.newest(Sieve(**sieve), limit, dead=dead)
    if not found:
        raise NoSuchLetter(_none(place, sieve))
    return found


def _confirm(found: Sequence[Casualty], what: str, *, yes: bool) -> None:
    """Show them and ask, unless that was answered beforehand.

    Raises:
        UserError: nobody can be asked.
    """
    from penstock.cli.casualty import listing, several

    for line in listing(found):
        terminal.talk(line)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"--yes is missing: nobody can be asked here whether to {what} {several(found)}")
    click.confirm(f"{what} {several(found)}?", abort=True, err=True)


def _whither(moved: Sequence[Casualty], now: set[str]) -> str:
    """What becomes of those that were put back."""
    at_once = sorted({each.stage for each in moved if each.name in now})
    later = sorted({each.pipeline for each in moved if each.name not in now})
    parts = [f"{', '.join(at_once)} gets them again now"] if at_once else []
    if later:
        parts.append(f"{'the others' if at_once else 'they'} wait for the next run of {', '.join(later)}")
    return "".join(f"; {part}" for part in parts)


def _print(lines: list[str]) -> None:
    for line in lines:
        terminal.data(line)
