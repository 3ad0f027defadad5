"""``penstock logs``: what the workers printed, merged, while they run and after."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import click

from penstock.cli import terminal
from penstock.cli.group import VerbCommand
from penstock.cli.logbook import Line, Logbook
from penstock.cli.options import json_option, refuse_state, run_option, state_option

EXAMPLES = ("penstock logs", "penstock logs detect -f", "penstock logs detect/1 -n 20")

LOOK = 0.1
"""Seconds between two looks while following. (Only this command looks; the pipeline knows nothing of it.)"""

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta", "bright_green")


@click.command(cls=VerbCommand, examples=EXAMPLES)
@click.argument("worker", metavar="[STAGE[/N]]...", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on until the pipeline ends.")
@click.option(
    "-n", "--last", metavar="LINES", type=click.IntRange(min=0), help="Only so many of each worker's last."
)
@click.option("--no-prefix", is_flag=True, help="Do not say which worker wrote a line.")
@run_option
@state_option
@json_option
def logs(
    worker: tuple[str, ...],
    follow: bool,
    last: int | None,
    no_prefix: bool,
    name: str | None,
    state: Path | None,
    as_json: bool,
) -> None:
    """Show what the workers printed.

    Lines of all workers, merged by the time they begin with. Logs are kept when the pipeline has ended.
    With --json, one document a line.
    """
    book, runs, pause = _book(state, name, worker)
    write = _json_line if as_json else _plain_line if no_prefix else Prefix(book)
    for line in book.merged(last, ended=not follow):
        write(line)
    if follow:
        for line in book.follow(runs, lambda: time.sleep(pause)):
            write(line)


def _book(state: Path | None, name: str | None, wanted: tuple[str, ...]) -> tuple[Logbook, Runs, float]:
    """The logs that are meant, whether their pipeline runs, and how long to wait between two looks."""
    from penstock.runtime import client

    if client.is_afar():
        from penstock.cli import farlogbook

        refuse_state(state)
        far = farlogbook.FarLogbook(client.find(name), wanted)
        return far, far.runs, farlogbook.LOOK
    from penstock.cli import statedir

    where = statedir.find(state, name)
    return Logbook(where / "logs", wanted), lambda: statedir.runs(where), LOOK


Runs = Callable[[], bool]


class Prefix:
    """Writes lines behind the name of their worker, all workers of a stage in one colour."""

    def __init__(self, book: Logbook) -> None:
        self._width = max((len(log.label) for log in book.logs()), default=0)
        self._colours: dict[str, str] = {}

    def __call__(self, line: Line) -> None:
        """Write one."""
        stage = line.label.rpartition("/")[0]
        colour = self._colours.setdefault(stage, COLOURS[len(self._colours) % len(COLOURS)])
        self._width = max(self._width, len(line.label))
        terminal.data(f"{click.style(line.label.ljust(self._width) + ' |', fg=colour)} {line.text}".rstrip())


def _plain_line(line: Line) -> None:
    terminal.data(line.text)


def _json_line(line: Line) -> None:
    terminal.data(json.dumps({"schema": "penstock.log/1", **line._asdict()}, ensure_ascii=False))
