"""The Pythons that stages run under: is each there, new enough, and does it have what a worker needs?"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from penstock.cli.finding import BAD, GOOD, Finding
from penstock.cli.machine import dotted
from penstock.errors import EnvironmentFault
from penstock.runtime import boot

if TYPE_CHECKING:
    from penstock.pipeline.plan import Plan, StagePlan

PATIENCE = 20.0
"""Seconds for an interpreter to say what it is; on a cold network disk that can take several."""

# Runs under any Python 3: it must be able to say that it is too old.
QUESTION = """\
import json, platform
try:
    from importlib import metadata
except ImportError:
    metadata = None
def version(name):
    try:
        return metadata.version(name)
    except Exception:
        return None
packages = {name: version(name) for name in ["pyzmq", "msgspec", "numpy"]}
print(json.dumps([platform.python_implementation(), platform.python_version(), packages]))
"""


class Answer(NamedTuple):
    """What an interpreter says of itself."""

    implementation: str
    python: str
    packages: dict[str, str | None]


def examine(plan: Plan) -> list[Finding]:
    """One finding for each interpreter that the plan names."""
    users: dict[str, list[StagePlan]] = {}
    for stage in plan.stages:
        if stage.interpreter is not None:
            users.setdefault(stage.interpreter, []).append(stage)
    return [_examine(stages) for stages in users.values()]


def _examine(stages: list[StagePlan]) -> Finding:
    """Ask as a worker would be started: the supervisor's own packages must not leak into the answer."""
    from penstock.runtime import process

    subject = f"interpreter of {', '.join(stage.name for stage in stages)}"
    try:
        path = process.find_interpreter(stages[0])
    except EnvironmentFault as error:
        return Finding(subject, BAD, str(error))
    return judge(subject, path, ask(path, process.environment(stages[0], "", os.environ)))


def ask(path: str, environment: Mapping[str, str]) -> Answer | str:
    """What the interpreter says of itself; a string says why there is no answer."""
    command = [path, "-s", "-c", QUESTION]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"does not answer within {PATIENCE:.0f} s"
    except OSError as error:
        return f"cannot be started: {error.strerror}"
    try:
        return Answer(*json.loads(done.stdout))
    except (ValueError, TypeError):
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        return f"is no Python (exit code {done.returncode}: {last})"


def judge(subject: str, path: str, answer: Answer | str) -> Finding:
    """What is wrong with an interpreter, if anything is."""
    if isinstance(answer, str):
        return Finding(subject, BAD, f"{path} {answer}", "give the path of a Python, like .venv/bin/python")
    if answer.implementation != "CPython" or boot.numbers(answer.python) < boot.OLDEST:
        cure = f"stages need CPython {dotted(boot.OLDEST)} or newer"
        return Finding(subject, BAD, f"{path} is {answer.implementation} {answer.python}", cure)
    lacking = [
        f"{package}>={dotted(least)}"
        for _, package, least in boot.NEEDS
        if boot.numbers(answer.packages.get(package) or "0") < least
    ]
    if lacking:
        cure = f"{path} -m pip install {' '.join(map(repr, lacking))}"
        return Finding(subject, BAD, f"Python {answer.python} at {path} lacks {' and '.join(lacking)}", cure)
    found = ", ".join(f"{name} {version}" for name, version in answer.packages.items() if version)
    return Finding(subject, GOOD, f"Python {answer.python} with {found}")
