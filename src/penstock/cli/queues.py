"""``penstock queues``: what waits for each group."""

from __future__ import annotations

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option

HEADER = ("GROUP", "READY", "SCHEDULED", "RUNNING", "DEAD", "OLDEST", "")
STATES = ("ready", "scheduled", "running", "dead")


@click.command(cls=VerbCommand, examples=["penstock queues"])
@json_option
def queues(as_json: bool) -> None:
    """Show what waits for each group of tasks.

    Also how long the oldest job has waited, and which groups are paused.
    """
    from penstock.cli import figures, jobstore
    from penstock.cli.table import table

    client = jobstore.existing()
    with client.store() as store:
        depths, paused = store.depths(), store.groups()
        oldest = {name: store.oldest(name) for name in paused}
    now = client.now()
    ages = {name: None if at is None else max(0.0, (now - at) / 1000) for name, at in oldest.items()}
    counts = {name: {state: depths.get(name, {}).get(state, 0) for state in STATES} for name in paused}
    if as_json:
        told = [
            {"group": name, **counts[name], "oldest": ages[name], "paused": why}
            for name, why in paused.items()
        ]
        terminal.data(document("queues", groups=told))
        return
    rows = [
        [
            name,
            *(f"{counts[name][state]:,}" for state in STATES),
            figures.took(ages[name]),
            terminal.doubtful(f"paused: {why}" if why != "paused" else why) if why else "",
        ]
        for name, why in paused.items()
    ]
    for line in table(rows, HEADER, right=[1, 2, 3, 4, 5]):
        terminal.data(line)
