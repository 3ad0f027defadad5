"""What `drain` and `stop` have in common: ask for the end, wait for it, tell how it was."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from penstock.cli import figures, terminal
from penstock.cli.document import document
from penstock.errors import NotRunning, PenstockError, TimedOut
from penstock.runtime import client, rundir
from penstock.runtime.client import Run, RunGone

PATIENCE, LOOK = 10.0, 0.02
"""Seconds a run may take from its last answer to its end, and between two looks for that."""


def end(run: Run, verb: str, *, timeout: float | None, as_json: bool, **arguments: Any) -> int:
    """Call ``verb`` and wait until the run has ended; the exit code.

    Raises:
        TimedOut: it has not, within ``timeout`` seconds. It goes on ending all the same.
    """
    answer = client.call(run, verb, **arguments)
    if not as_json:
        told(run, verb, answer)
    try:
        ended = client.call(run, "wait", goal="ended", timeout=timeout)
    except RunGone:
        ended = last_words(run)
    except TimedOut:
        raise TimedOut(_still_there(run, verb, timeout)) from None
    return tell(ended, as_json=as_json)


def told(run: Run, verb: str, answer: dict[str, Any]) -> None:
    """Say what a run was told, and which scripts it waits for where it drains."""
    terminal.talk(terminal.dim(f"{run.pipeline} was told to {verb} ..."))
    for stage in answer.get("awaited", ()):
        terminal.talk(
            terminal.doubtful(
                f"it waits for a script that attaches as {stage!r}; `penstock stop` does not wait for it"
            )
        )


def tell(ended: dict[str, Any], *, as_json: bool) -> int:
    """Show how a run ended; 1 when it failed or its ledger does not add up."""
    if as_json:
        terminal.data(document("end", **{key: value for key, value in ended.items() if key != "schema"}))
    else:
        terminal.data(
            f"{terminal.strong(ended['pipeline'])}   {ended['state']}   {figures.last_line(ended['totals'])}"
        )
    return int(ended["state"] == "failed" or ended["totals"]["lost"] > 0)


def last_words(run: Run) -> dict[str, Any]:
    """How a run ended that answers no more: it writes that down before it lets go of its directory.

    Raises:
        NotRunning: it was killed before it could.
    """
    if run.trunk is not None:
        raise NotRunning(f"{run.pipeline} is not heard any more, and has not said how it ended")
    until = time.monotonic() + PATIENCE
    while rundir.is_alive(run.path) and time.monotonic() < until:
        time.sleep(LOOK)
    try:
        told: dict[str, Any] = json.loads(Path(run.state_dir, "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = {}
    if told.get("run") != run.run:
        raise NotRunning(f"{run.pipeline} has ended, and did not say how")
    return told


def _still_there(run: Run, verb: str, timeout: float | None) -> str:
    left = f"after {timeout:g} s {run.pipeline} has not ended"
    try:
        totals = client.call(run, "ledger")["totals"]
    except PenstockError:
        return left
    instead = (
        "; `penstock stop` does not wait for them" if verb == "drain" else "; `penstock stop --now` kills it"
    )
    return f"{left}: {figures.number(totals['in_flight'])} items are in flight{instead}"
