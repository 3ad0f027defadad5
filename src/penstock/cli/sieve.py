"""Which dead letters are meant: the same filters for listing them and for doing something with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from penstock.cli.options import since

if TYPE_CHECKING:
    from penstock.cli.casualty import Casualty

Command = TypeVar("Command", bound=Callable[..., Any])


class Sieve(NamedTuple):
    """What a dead letter must be like."""

    stage: str | None = None
    cause: str | None = None
    """A part of its cause, in whatever case."""
    since: float | None = None
    """It died then or later; seconds since 1970."""
    ids: tuple[str, ...] = ()
    """It has one of these ids or names; empty: any."""

    def takes(self, each: Casualty) -> bool:
        """Whether it is meant."""
        return (
            self.stage in {None, each.stage, each.task or None}
            and (self.cause or "").lower() in each.cause.lower()
            and (self.since is None or each.when >= self.since)
            and (not self.ids or each.id in self.ids or each.name in self.ids)
        )


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
            click.option("--stage", help="Only those that this stage, group or task could not do."),
        ):
            command = option(command)
        return command

    return decorate
