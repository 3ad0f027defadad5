"""``penstock stop``: end without waiting for what is in flight."""

from __future__ import annotations

import click

from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, run_option, timeout_option


@click.command(cls=VerbCommand, examples=["penstock stop", "penstock stop --now"])
@click.option("--now", is_flag=True, help="Kill; do not wait for the current items either.")
@run_option
@timeout_option
@json_option
def stop(now: bool, name: str | None, timeout: float | None, as_json: bool) -> int:
    """End now; each worker finishes its current item only.

    What is in flight is not finished, and counted so in the ledger. `penstock drain` finishes it. Exit
    code 6 when --timeout has passed before the end.
    """
    from penstock.cli import ending
    from penstock.runtime import client

    return ending.end(client.find(name), "stop", timeout=timeout, as_json=as_json, now=now)
