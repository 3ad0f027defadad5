"""``penstock check``: mistakes in an app file, its wiring and its interpreters; nothing is started."""

from __future__ import annotations

import time

import click

from penstock.cli import finding, terminal
from penstock.cli.document import document
from penstock.cli.finding import BAD, DOUBTFUL, GOOD, Finding
from penstock.cli.group import VerbCommand
from penstock.cli.options import app_argument, json_option
from penstock.errors import UserError

SLOW = 1.0
"""Seconds; an app file that takes longer to import is likely to import what only its stages need."""


@click.command(cls=VerbCommand, examples=["penstock check app.py", "penstock check app.py --json"])
@app_argument
@json_option
def check(app: str, as_json: bool) -> int:
    """Look for mistakes without starting anything.

    Imports the app file, checks its wires, knobs and references (code that is named by a string is looked
    for, not imported), and asks each interpreter whether it can run a stage. Exit code 1 when something is
    wrong.
    """
    findings = examine(app)
    if as_json:
        terminal.data(document("check", **finding.as_fields(findings)))
    else:
        terminal.data("\n".join([*finding.lines(findings), "", finding.summary(findings)]))
    return finding.verdict(findings)


def examine(app: str) -> list[Finding]:
    """All findings about one app file; where it cannot be imported, that is the only one."""
    from penstock.cli import appfile, interpreters

    began = time.monotonic()
    try:
        loaded = appfile.load(app)
        plan = loaded.pipeline.plan()
    except UserError as error:
        if isinstance(error, appfile.BrokenApp) and error.traceback:
            terminal.talk(terminal.dim(error.traceback))
        return [Finding("app", BAD, str(error))]
    return [
        judge_import(loaded.path.name, time.monotonic() - began),
        Finding("wiring", GOOD, f"{len(plan.stages)} stages, {len(plan.links)} links"),
        *interpreters.examine(plan),
    ]


def judge_import(name: str, took: float) -> Finding:
    """Every start pays for what the app file imports."""
    text = f"{name} is imported in {took:.1f} s"
    if took > SLOW:
        cure = (
            'import heavy libraries inside the stage, or name its code by a string: stage("steps.py:clean")'
        )
        return Finding("app", DOUBTFUL, text, cure)
    return Finding("app", GOOD, text)
