"""``penstock check``: mistakes in an app file, its wiring and its interpreters; nothing is started."""

from __future__ import annotations

import ast
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli import finding, terminal
from penstock.cli.document import document
from penstock.cli.finding import BAD, DOUBTFUL, GOOD, Finding
from penstock.cli.group import VerbCommand
from penstock.cli.options import app_argument, json_option
from penstock.errors import UserError
from penstock.pipeline.nearest import nearest

if TYPE_CHECKING:
    from penstock.pipeline.plan import Plan, StagePlan
    from penstock.pipeline.reference import Reference

SLOW = 1.0
"""Seconds; an app file that takes longer to import is likely to import what only its stages need."""


@click.command(cls=VerbCommand, examples=["penstock check app.py", "penstock check app.py --json"])
@app_argument
@json_option
def check(app: str, as_json: bool) -> int:
    """Look for mistakes without starting anything.

    Imports the app file, checks its wiring, looks whether the code of stages that are named by a string is
    there (without importing it), and asks each interpreter whether it can run a stage. Exit code 1 when
    something is wrong.
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
        *judge_code(plan),
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


def judge_code(plan: Plan) -> list[Finding]:
    """Is the code there that the stages name?"""
    missing = [found for stage in plan.stages if (found := _look_for(stage)) is not None]
    return missing or [Finding("code", GOOD, f"found for all {len(plan.stages)} stages")]


def _look_for(stage: StagePlan) -> Finding | None:
    if not stage.code.root:
        return None  # a package that is installed where the stage runs; that need not be here
    path = _file(stage.code)
    place = f"{stage.where}: " if stage.where else ""
    if path is None:
        return Finding(
            f"code of {stage.name}", BAD, f"{place}no module {stage.code.module} in {stage.code.root}"
        )
    try:
        names = _defined(path)
    except SyntaxError as error:
        return Finding(f"code of {stage.name}", BAD, f"{path}:{error.lineno}: {error.msg}")
    if names is None or stage.code.name.partition(".")[0] in names:
        return None
    text = f"{place}{path.name} has no {stage.code.name!r}{nearest(stage.code.name, names)}"
    return Finding(f"code of {stage.name}", BAD, text)


def _file(code: Reference) -> Path | None:
    """The file of a reference: a module or the ``__init__`` of a package."""
    path = Path(code.root, *code.module.split("."))
    found = [each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()]
    return found[0] if found else None


def _defined(path: Path) -> set[str] | None:
    """The names a file binds at its top, read and not run; ``None`` when only running it would tell."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
