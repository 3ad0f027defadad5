"""``penstock down``: the end of a pipeline, with its progress; as Ctrl-C where it runs in a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from penstock.cli import ending, figures, terminal
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, run_option, timeout_option
from penstock.errors import TimedOut
from penstock.runtime import client
from penstock.runtime.client import Run, RunGone

WATCHED, UNWATCHED = 1.0, 5.0
"""Seconds between two lines of progress, as `penstock run` has them."""
STEPS = ("drain", "stop", "kill")
"""What a first, second and third Ctrl-C does where it runs in a terminal."""


@click.command(cls=VerbCommand, examples=["penstock down", "penstock down -p demo --timeout 30s"])
@run_option
@timeout_option
@json_option
def down(name: str | None, timeout: float | None, as_json: bool) -> int:
    """End a pipeline as Ctrl-C does, and wait for its end.

    The first time it drains: nothing new is made, what is in flight is finished. A second `penstock down`,
    or Ctrl-C in this one, stops after the current items; a third kills. Exit code 6 when --timeout has
    passed before the end; it goes on ending.
    """
    run = client.find(name)
    until = None if timeout is None else time.monotonic() + timeout
    step = 0
    while True:
        try:
            step = _take(run, step)
            ended = _watch(run, until, timeout, quiet=as_json)
            return ending.tell(ended if run.trunk else ending.last_words(run), as_json=as_json)
        except RunGone:
            return ending.tell(ending.last_words(run), as_json=as_json)
        except KeyboardInterrupt:
            if step + 1 == len(STEPS):
                raise
            step += 1


def _take(run: Run, step: int) -> int:
    """Ask for the first step from this one on that nobody has asked for; which that was."""
    word = STEPS[step]
    arguments: dict[str, Any] = {"now": True} if word == "kill" else {}
    answer = client.call(run, "drain" if word == "drain" else "stop", **arguments)
    if answer["already"] and word != "kill":
        return _take(run, step + 1)
    ending.told(run, word, answer)
    return step


def _watch(run: Run, until: float | None, timeout: float | None, *, quiet: bool) -> dict[str, Any]:
    """How it has ended, when it has; meanwhile say how much is in flight, when that has changed.

    Raises:
        TimedOut: ``until`` has come.
    """
    pause, told = (WATCHED if sys.stderr.isatty() else UNWATCHED), -1
    while True:
        left = pause if until is None else min(pause, max(0.0, until - time.monotonic()))
        try:
            return client.call(run, "wait", goal="ended", timeout=left)
        except TimedOut:
            flying = client.call(run, "ledger")["totals"]["in_flight"]
            if until is not None and time.monotonic() >= until:
                raise TimedOut(
                    f"after {timeout:g} s {run.pipeline} has not ended: {figures.number(flying)} items are "
                    "in flight; `penstock down` again does not wait for them"
                ) from None
            if flying != told and not quiet:
                terminal.talk(terminal.dim(f"  {figures.number(flying)} in flight"))
            told = flying
