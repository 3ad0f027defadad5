"""mypy and pyright know a right wire from a wrong one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
FILES = ("right.py", "wrong.py")

Lines = dict[str, set[int]]


def mypy() -> Lines:
    """Lines with errors by file, as mypy --strict sees it."""
    command = [str(BIN / "mypy"), "--config-file", str(ROOT / "pyproject.toml"), "--no-pretty"]
    done = subprocess.run(
        [*command, *(str(HERE / name) for name in FILES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"(\w+\.py):(\d+): error", done.stdout)
    assert done.returncode == 1, done.stdout + done.stderr
    return {name: {int(line) for file, line in found if file == name} for name in FILES}


def pyright() -> Lines:
    """Lines with errors by file, as pyright sees it."""
    command = [str(BIN / "pyright"), "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*command, *(str(HERE / name) for name in FILES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    errors = [each for each in json.loads(done.stdout)["generalDiagnostics"] if each["severity"] == "error"]
    return {
        name: {each["range"]["start"]["line"] + 1 for each in errors if each["file"].endswith(name)}
        for name in FILES
    }


def marked() -> set[int]:
    """The lines of wrong.py that must be refused."""
    lines = (HERE / "wrong.py").read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# refused")}


@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
def test_right_wires_are_accepted_and_exactly_the_wrong_ones_refused(checker: Callable[[], Lines]) -> None:
    assert len(marked()) > 20
    assert checker() == {"right.py": set(), "wrong.py": marked()}
