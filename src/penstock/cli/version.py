"""``penstock version``: what is in use, for bug reports and scripts."""

from __future__ import annotations

import platform
import sys

import click

from penstock import __version__
from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option
from penstock.cli.table import table


@click.command(cls=VerbCommand, examples=["penstock version", "penstock version --json"])
@json_option
def version(as_json: bool) -> None:
    """Show the versions in use."""
    found = versions()
    if as_json:
        terminal.data(document("version", **found))
    else:
        terminal.data("\n".join(table([[name, text or "not installed"] for name, text in found.items()])))


def versions() -> dict[str, str | None]:
    """Of penstock, this Python, and what it stands on; ``None``: not installed."""
    from penstock.cli.machine import installed

    packages = {name: installed(name) for name in ("pyzmq", "msgspec", "numpy", "click")}
    return {
        "penstock": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        **packages,
    }
