"""``penstock drain``: let what is in flight be finished, then end."""

from __future__ import annotations

import click

from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, run_option, timeout_option


@click.command(cls=VerbCommand, examples=["penstock drain", "penstock drain -p demo --timeout 30s"])
@run_option
@timeout_option
@json_option
def drain(name: str | None, timeout: float | None, as_json: bool) -> int:
    """Take nothing new, finish what is in flight, end.

    Waits for the end and shows the ledger. Exit code 6 when --timeout has passed before; the draining goes
    on then, as it does after Ctrl-C.
    """
    from penstock.cli import ending
    from penstock.runtime import client

    return ending.end(client.find(name), "drain", timeout=timeout, as_json=as_json)
