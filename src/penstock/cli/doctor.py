"""``penstock doctor``: will a pipeline run well on this machine?"""

from __future__ import annotations

import os

import click

from penstock.cli import finding, terminal
from penstock.cli.document import document
from penstock.cli.finding import Finding
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


def examine(app: str | None) -> list[Finding]:
    """All findings about this machine and, where an app is given, about its interpreters."""
    from penstock.cli import appfile, interpreters, machine
    from penstock.runtime import rundir
    from penstock.settings import Settings

    base = rundir.base_dir(Settings.read(os.environ).run_dir)
    findings = machine.examine(base, dead_runs(base))
    if app is not None:
        findings += interpreters.examine(appfile.load(app).plan())
    return findings


def dead_runs(base: str) -> list[str]:
    """Run directories whose supervisor is gone; only looked at, the next start sweeps them."""
    from penstock.runtime import rundir

    try:
        with os.scandir(base) as entries:
            paths = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(path for path in paths if not rundir.is_alive(path))
