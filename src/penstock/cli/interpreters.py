"""The Pythons that stages run under: is each there, new enough, and does it have what a worker needs?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from penstock.cli.finding import BAD, GOOD, Finding
from penstock.cli.machine import dotted
from penstock.environments.interpreters import Probe, ask, is_fit
from penstock.errors import EnvironmentFault
from penstock.runtime import boot

if TYPE_CHECKING:
    from penstock.pipeline.plan import Plan, StagePlan


def examine(plan: Plan) -> list[Finding]:
    """One finding for each interpreter that the plan names."""
    users: dict[str, list[StagePlan]] = {}
    for stage in plan.stages:
        if stage.interpreter is not None:
            users.setdefault(stage.interpreter, []).append(stage)
    return [_examine(stages) for stages in users.values()]


def _examine(stages: list[StagePlan]) -> Finding:
    """Ask as a worker would be started: the supervisor's own packages must not leak into the answer."""
    from penstock.runtime.supervisor import process

    subject = f"interpreter of {', '.join(stage.name for stage in stages)}"
    try:
        path = process.find_interpreter(stages[0])
    except EnvironmentFault as error:
        return Finding(subject, BAD, str(error))
    try:
        answer = ask(path, process.environment(stages[0], "", os.environ))
    except EnvironmentFault as error:
        return Finding(subject, BAD, str(error), "give the path of a Python, like .venv/bin/python")
    return judge(subject, path, answer)


def judge(subject: str, path: str, answer: Probe) -> Finding:
    """What is wrong with an interpreter, if anything is."""
    if not is_fit(answer):
        cure = f"stages need CPython {dotted(boot.OLDEST)} or newer"
        return Finding(subject, BAD, f"{path} is {answer.implementation} {answer.version}", cure)
    lacking = [
        f"{package}>={dotted(least)}"
        for _, package, least in boot.NEEDS
        if boot.numbers(answer.packages.get(package) or "0") < least
    ]
    if lacking:
        cure = f"{path} -m pip install {' '.join(map(repr, lacking))}"
        return Finding(subject, BAD, f"Python {answer.version} at {path} lacks {' and '.join(lacking)}", cure)
    found = ", ".join(f"{name} {version}" for name, version in answer.packages.items() if version)
    return Finding(subject, GOOD, f"Python {answer.version} with {found}")
