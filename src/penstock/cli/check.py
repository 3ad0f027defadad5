"""``penstock check``: mistakes in an app file, its wiring and its interpreters; nothing is started."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from penstock.cli import finding, terminal
from penstock.cli.document import document
from penstock.cli.finding import BAD, DOUBTFUL, GOOD, Finding
from penstock.cli.group import VerbCommand
from penstock.cli.options import app_argument, config_options, json_option
from penstock.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.pipeline.plan import Plan, StagePlan

SLOW = 1.0
"""Seconds; an app file that takes longer to import is likely to import what only its stages need."""


@click.command(cls=VerbCommand, examples=["penstock check app.py", "penstock check app.py --json"])
@app_argument
@config_options
@json_option
def check(app: str | None, flags: tuple[str, ...], profile: str | None, as_json: bool) -> int:
    """Look for mistakes without starting anything.

    Imports the app file, checks its wires, tasks, knobs, configuration and references (code that is named by
    a string is looked for, not imported), and asks each interpreter whether it can run a stage. Exit code 1
    when something is wrong.
    """
    findings = examine(app, flags, profile)
    if as_json:
        terminal.data(document("check", **finding.as_fields(findings)))
    else:
        terminal.data("\n".join([*finding.lines(findings), "", finding.summary(findings)]))
    return finding.verdict(findings)


def examine(app: str | None, flags: Sequence[str] = (), profile: str | None = None) -> list[Finding]:
    """All findings about one app file; where it cannot be imported, that is the only one."""
    from penstock.cli import appfile, interpreters
    from penstock.config.configuration import Misconfigured

    began = time.monotonic()
    try:
        loaded = appfile.load(app)
        plan = loaded.plan(flags, profile)
    except Misconfigured as error:
        return [Finding("config", BAD, sentence) for sentence in error.sentences]
    except appfile.AppNotFound as error:
        return judge_tasks(app or "app.py") or [Finding("app", BAD, str(error))]
    except UserError as error:
        if isinstance(error, appfile.BrokenApp) and error.traceback:
            terminal.talk(terminal.dim(error.traceback))
        return [Finding("app", BAD, str(error))]
    return [
        judge_import(loaded.path.name, time.monotonic() - began),
        Finding("wiring", GOOD, f"{len(plan.stages)} stages, {len(plan.links)} links"),
        *(Finding("process", GOOD, shared) for shared in tell_shared(plan)),
        *judge_secrets(plan),
        *interpreters.examine(plan),
        *judge_environments(plan.stages, loaded.path.parent),
        *judge_tasks(str(loaded.path)),
    ]


def judge_tasks(path: str) -> list[Finding]:
    """The tasks of a file, their groups and their schedules; nothing is said where there are none."""
    from penstock.cli import appfile
    from penstock.config.groups import overlays
    from penstock.tasks import plan

    try:
        file, tasks = appfile.tasks(path)
        said = overlays(str(file.parent), os.environ, sorted({task.group for task in tasks}))
        stages = plan.groups(tasks, said)
        groups = [stage.name for stage in stages]
        schedules = plan.schedules(tasks, groups)
    except appfile.AppNotFound:
        return []
    except UserError as error:
        return [Finding("tasks", BAD, sentence) for sentence in str(error).splitlines()]
    told = f"{len(tasks)} tasks, {len(groups)} groups, {len(schedules)} schedules"
    starved = [Finding("tasks", DOUBTFUL, sentence) for sentence in plan.starved(tasks, stages)]
    return [Finding("tasks", GOOD, told), *starved, *judge_environments(stages, file.parent)]


def tell_shared(plan: Plan) -> list[str]:
    """Which stages run in one process."""
    return [f"{stage.title} is one process, {stage.name}" for stage in plan.stages if stage.steps]


def judge_secrets(plan: Plan) -> list[Finding]:
    """Those that could not be had if it were started now; nothing is said of the others."""
    from penstock.pipeline.secret import revealed

    try:
        revealed([plan.config, [stage.secrets for stage in plan.stages]], os.environ)
    except UserError as error:
        return [Finding("secret", BAD, sentence) for sentence in str(error).splitlines()]
    return []


def judge_environments(stages: Sequence[StagePlan], folder: Path) -> list[Finding]:
    """Those that stages name: whether they are locked, and can be built."""
    names = sorted({stage.env for stage in stages if stage.env})
    if not names:
        return []
    from penstock.cli import envproject, envview

    try:
        found = envview.examine(envproject.of(str(folder)), names)
    except UserError as error:
        return [Finding("environment", BAD, sentence) for sentence in str(error).splitlines()]
    return [each._replace(subject=f"environment {each.subject}") for each in found]


def judge_import(name: str, took: float) -> Finding:
    """Every start pays for what the app file imports."""
    text = f"{name} is imported in {took:.1f} s"
    if took > SLOW:
        cure = (
            'import heavy libraries inside the stage, or name its code by a string: stage("steps.py:clean")'
        )
        return Finding("app", DOUBTFUL, text, cure)
    return Finding("app", GOOD, text)
