"""``penstock doctor``: will a pipeline run well on this machine?"""

from __future__ import annotations

import click

from penstock.cli import finding, terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option


@click.command(cls=VerbCommand, examples=["penstock doctor", "penstock doctor app.py"])
@click.argument("app", metavar="[APP.PY[:PIPELINE]]", required=False)
@json_option
def doctor(app: str | None, as_json: bool) -> int:
    """Examine this machine and the stages' interpreters.

    Without an app, this machine only. Exit code 1 when something is wrong; a warning is not.
    """
    findings = examine(app)
    if as_json:
        terminal.data(document("doctor", **finding.as_fields(findings)))
    else:
        terminal.data("\n".join([*finding.lines(findings), "", finding.summary(findings)]))
    return finding.verdict(findings)


def examine(app: str | None) -> list[finding.Finding]:
    """All findings about this machine and, where an app is given, its interpreters."""
    return []
