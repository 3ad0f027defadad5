"""``penstock queues``: what waits for each group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import broker_option, json_option

if TYPE_CHECKING:
    from penstock.tasks.desk import Queue

HEADER = ("GROUP", "READY", "SCHEDULED", "RUNNING", "DEAD", "OLDEST", "")
STATES = ("ready", "scheduled", "running", "dead")


@click.command(cls=VerbCommand, examples=["penstock queues"])
@broker_option
@json_option
def queues(as_json: bool) -> None:
    """Show what waits for each group of tasks.

    Also how long the oldest job has waited, and which groups are paused.
    """
    from penstock.cli import figures, jobstore
    from penstock.cli.table import table

    desk = jobstore.existing()
    told = [_fields(queue, desk.now()) for queue in desk.queues()]
    if as_json:
        terminal.data(document("queues", groups=told))
        return
    rows = [
        [
            each["group"],
            *(f"{each[state]:,}" for state in STATES),
            figures.took(each["oldest"]),
            _held(each["paused"]),
        ]
        for each in told
    ]
    for line in table(rows, HEADER, right=[1, 2, 3, 4, 5]):
        terminal.data(line)


def _fields(queue: Queue, now: int) -> dict[str, Any]:
    """One for a JSON document; ``oldest``: how many seconds it has waited."""
    counts = {state: queue.counts.get(state, 0) for state in STATES}
    oldest = None if queue.oldest is None else max(0.0, (now - queue.oldest) / 1000)
    return {"group": queue.group, **counts, "oldest": oldest, "paused": queue.paused}


def _held(why: str) -> str:
    if not why:
        return ""
    return terminal.doubtful(f"paused: {why}" if why != "paused" else why)
