"""``penstock wait``: for scripts and tests that start a pipeline in the background."""

from __future__ import annotations

import time
from typing import Any

import click

from penstock.cli import figures, terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, run_option, timeout_option
from penstock.errors import PenstockError, PipelineFailed, TimedOut
from penstock.runtime import client
from penstock.runtime.client import Run, RunGone

COMING = ("ready", "idle")
"""What may be waited for before the pipeline is there: `penstock run app.py & penstock wait --for ready`."""
LOOK = 0.05
"""Seconds between two looks for a pipeline that is not there yet."""
PATIENCE = 60.0
"""Seconds it may take to appear, when nothing is said."""


EXAMPLES = ("penstock run app.py & penstock wait --for ready --timeout 30s", "penstock wait --for ended")
MEANINGS = (
    ("ready", "every stage has all its workers"),
    ("idle", "nothing is in flight"),
    ("drained", "it has ended, and everything in it was finished"),
    ("ended", "it has ended, however"),
)


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"What may be waited for": MEANINGS})
@click.option(
    "--for",
    "goal",
    type=click.Choice([goal for goal, _ in MEANINGS]),
    required=True,
    help="What to wait for.",
)
@timeout_option
@run_option
@json_option
def wait(goal: str, timeout: float | None, name: str | None, as_json: bool) -> None:
    """Wait until a pipeline is ready, idle, drained or ended.

    For ready and idle, one that is not there yet is waited for too (60 s, if --timeout does not say). Exit
    code 6 when the time has passed before, 1 when that can never be.
    """
    began = time.monotonic()
    run = _appear(name, timeout or PATIENCE) if goal in COMING else client.find(name)
    left = None if timeout is None else max(0.0, round(timeout - (time.monotonic() - began), 2))
    try:
        answer = _wait(run, goal, left)
    except TimedOut:
        raise TimedOut(f"{run.pipeline} was not {goal} within {timeout:g} s") from None
    if as_json:
        terminal.data(document("wait", **{key: value for key, value in answer.items() if key != "schema"}))
    else:
        account = "" if goal == "ready" else f"   {figures.last_line(answer['totals'])}"
        terminal.data(f"{run.pipeline} is {goal}{account}")


def _wait(run: Run, goal: str, timeout: float | None) -> dict[str, Any]:
    try:
        return client.call(run, "wait", goal=goal, timeout=timeout)
    except TimedOut:
        raise
    except RunGone:
        return _afterwards(run, goal)
    except PenstockError as error:
        raise PipelineFailed(str(error)) from None


def _afterwards(run: Run, goal: str) -> dict[str, Any]:
    """It ended while we asked."""
    from penstock.cli import ending

    told = ending.last_words(run)
    if goal == "ended" or (goal == "drained" and not told["failure"] and not told["cut_short"]):
        return told
    raise PipelineFailed(f"{run.pipeline} has ended, and never was {goal}")


def _appear(name: str | None, patience: float) -> Run:
    until = time.monotonic() + patience
    while not any(name in (None, run.pipeline, run.run) for run in client.runs()):
        if time.monotonic() > until:
            raise TimedOut(f"{name or 'a pipeline'} did not appear within {patience:g} s")
        time.sleep(LOOK)
    return client.find(name)
