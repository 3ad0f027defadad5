"""The Pythons that stages run under: is each there, new enough, and does it have what a worker needs?"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from penstock.cli.finding import BAD, GOOD, Finding
from penstock.cli.machine import OLDEST, dotted, numbers

if TYPE_CHECKING:
    from penstock.pipeline.plan import Plan

OLDEST_PYTHON = (3, 9)
LEAKS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables that would lead another interpreter to our own packages."""
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
    users: dict[str, list[str]] = {}
    for stage in plan.stages:
        if stage.interpreter is not None:
            users.setdefault(stage.interpreter, []).append(stage.name)
    return [judge(path, names, ask(path)) for path, names in users.items()]


def ask(path: str) -> Answer | str:
    """Start the interpreter as a worker is started and ask; a string says why there is no answer."""
    environment = {name: value for name, value in os.environ.items() if name not in LEAKS}
    try:
        done = subprocess.run(
            [path, "-s", "-c", QUESTION],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
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


def judge(path: str, stages: list[str], answer: Answer | str) -> Finding:
    """What is wrong with an interpreter for these stages, if anything is."""
    subject = f"interpreter of {', '.join(stages)}"
    if isinstance(answer, str):
        return Finding(
            subject, BAD, f"{path} {answer}", "give the path of a Python, for example .venv/bin/python"
        )
    if answer.implementation != "CPython" or numbers(answer.python) < OLDEST_PYTHON:
        cure = f"stages need CPython {dotted(OLDEST_PYTHON)} or later"
        return Finding(subject, BAD, f"{path} is {answer.implementation} {answer.python}", cure)
    lacking = [
        f"{name}>={dotted(oldest)}"
        for name, oldest in OLDEST.items()
        if numbers(answer.packages.get(name) or "0") < oldest
    ]
    if lacking:
        cure = f"{path} -m pip install {' '.join(repr(each) for each in lacking)}"
        return Finding(subject, BAD, f"Python {answer.python} at {path} lacks {' and '.join(lacking)}", cure)
    found = ", ".join(f"{name} {version}" for name, version in answer.packages.items() if version)
    return Finding(subject, GOOD, f"Python {answer.python} with {found}")
