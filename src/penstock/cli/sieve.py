"""Which dead letters are meant: the same filters for listing them and for doing something with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from penstock.cli.options import since

if TYPE_CHECKING:
    from penstock.message.letter import Letter

Command = TypeVar("Command", bound=Callable[..., Any])
Filed = tuple[Path, "Letter"]
"""A letter and the file it lies in."""


class Sieve(NamedTuple):
    """What a letter must be like."""

    stage: str | None = None
    cause: str | None = None
    """A part of its cause, in whatever case."""
    since: float | None = None
    """It died then or later; seconds since 1970."""
    ids: tuple[str, ...] = ()
    """It has one of these ids, or its file one of these names; empty: any."""

    def takes(self, path: Path, letter: Letter) -> bool:
        """Whether it is meant."""
        return (
            self.stage in {None, letter.stage}
            and (self.cause or "").lower() in letter.cause.lower()
            and (self.since is None or letter.when >= self.since)
            and (not self.ids or letter.id in self.ids or path.stem in self.ids)
        )

    def newest(self, directory: Path, limit: int, *, dead: bool = False) -> tuple[list[Filed], bool]:
        """The newest that are meant (0: all), the oldest of them first, and whether there are more.
        ``dead``: none that was put back already."""
        from penstock.message import letter as letters

        listed = letters.list_letters(directory) if dead else letters.list_all(directory)
        wanted = self._newest_first(listed)
        found = list(islice(wanted, limit or None))
        return found[::-1], next(wanted, None) is not None

    def _newest_first(self, listed: list[Path]) -> Iterator[Filed]:
        from penstock.message import letter as letters

        for path in reversed(listed):
            try:
                letter = letters.read(path)
            except FileNotFoundError:
                continue  # somebody else has just discarded it, or given it back
            if self.takes(path, letter):
                yield path, letter


def sieve_options(limit: int) -> Callable[[Command], Command]:
    """The filters, and ``--limit``: how many letters are meant unless another number is said."""
    number = click.IntRange(min=0)

    def decorate(command: Command) -> Command:
        for option in (
            click.option(
                "-n",
                "--limit",
                metavar="COUNT",
                type=number,
                default=limit,
                show_default=True,
                help="How many of the newest; 0 for all.",
            ),
            click.option("--id", "ids", metavar="ID", multiple=True, help="Only this item; may be repeated."),
            click.option(
                "--since",
                metavar="TIME",
                callback=since,
                help='Only those that died since: "2h" for two hours ago, or a date.',
            ),
            click.option("--cause", metavar="TEXT", help="Only those whose cause contains this."),
            click.option("--stage", help="Only those that this stage could not do."),
        ):
            command = option(command)
        return command

    return decorate
