"""``penstock top``: a pipeline as it runs, live, with keys."""

from __future__ import annotations

import time
from typing import Any

import click

from penstock.cli import board, ending, ps, screen, terminal
from penstock.cli.board import Board, Pause, Quit, Restart, Scale, Wish
from penstock.cli.group import VerbCommand
from penstock.cli.options import run_option
from penstock.cli.screen import Screen
from penstock.errors import PenstockError
from penstock.runtime import client
from penstock.runtime.client import Run, RunGone

EVERY = 1.0
"""Seconds between two looks."""


@click.command(cls=VerbCommand, examples=["penstock top", "penstock top -p demo"], terms={"Keys": board.KEYS})
@run_option
def top(name: str | None) -> int:
    """Show a pipeline as it runs, every second anew.

    What `ps` shows, of one pipeline, until it ends or you press q. Where nobody looks (a file, a pipe) it is
    shown once.
    """
    run = client.find(name)
    if not screen.there():
        answer = client.call(run, "ps")
        terminal.data(ps.about(answer))
        return int(ps.in_trouble(answer))
    try:
        with Screen() as taken:
            _watch(taken, run)
    except RunGone:
        return ending.tell(ending.last_words(run), as_json=False)
    except KeyboardInterrupt:
        pass  # the way out of everything else
    return 0


def _watch(taken: Screen, run: Run) -> None:
    """Until somebody wants to leave.

    Raises:
        RunGone: the pipeline has ended.
    """
    chosen, answer, due = Board(), client.call(run, "ps"), time.monotonic() + EVERY
    while True:
        columns, lines = taken.size
        taken.show(board.picture(chosen, answer, width=columns, height=lines))
        key = taken.key(max(0.0, due - time.monotonic()))
        if key:
            chosen, wish = board.press(chosen, key, answer)
            if isinstance(wish, Quit):
                return
            if wish is not None:
                chosen, due = (
                    chosen._replace(message=_grant(run, wish)),
                    0.0,
                )  # the next key means what is now
        if not key or time.monotonic() >= due:
            answer, due = client.call(run, "ps"), time.monotonic() + EVERY


def _grant(run: Run, wish: Wish) -> str:
    """Do it; what to say of it."""
    try:
        return _ask(run, wish)
    except RunGone:
        raise
    except PenstockError as error:
        return terminal.bad(str(error))


def _ask(run: Run, wish: Wish) -> str:
    told: dict[str, Any]
    if isinstance(wish, Scale):
        told = client.call(run, "scale", stage=wish.stage, replicas=wish.replicas)
        return f"{told['stage']}   {told['before']} → {told['after']}"
    if isinstance(wish, Pause):
        told = client.call(run, "pause", stages=list(wish.stages), paused=wish.paused)
        return f"{', '.join(told['stages'])}   {'paused' if told['paused'] else 'goes on'}"
    if isinstance(wish, Restart):
        told = client.call(run, "restart", stage=wish.stage, replica=None, drain_first=False)
        return f"restarting, one by one: {', '.join(each['worker'] for each in told['workers'])}"
    client.call(run, "drain")
    return f"{run.pipeline} was told to drain"
