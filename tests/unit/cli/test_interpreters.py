from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from penstock.cli.finding import BAD, GOOD
from penstock.cli.interpreters import examine, judge
from penstock.environments.interpreters import Probe, ask
from penstock.errors import EnvironmentFault
from penstock.pipeline.plan import Plan, StagePlan
from penstock.pipeline.reference import Reference

PACKAGES: dict[str, str | None] = {"pyzmq": "26.0.0", "msgspec": "0.19.0", "numpy": None}


def answer(implementation: str, version: str, packages: dict[str, str | None] = PACKAGES) -> Probe:
    return Probe(
        implementation=implementation, version=version, packages=packages,
        tag="", soabi="", platform="", prefix="", base="", purelib="",
    )  # fmt: skip


def test_an_interpreter_says_what_it_is_and_has() -> None:
    found = ask(sys.executable, os.environ)
    assert found.version.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert found.packages["pyzmq"]


def test_a_good_interpreter_is_shown_with_what_it_has() -> None:
    found = judge("interpreter of detect", "py", answer("CPython", "3.9.18", PACKAGES))
    assert (found.verdict, found.text) == (GOOD, "Python 3.9.18 with pyzmq 26.0.0, msgspec 0.19.0")


def test_what_an_interpreter_lacks_comes_with_the_command_that_brings_it() -> None:
    found = judge(
        "interpreter of detect",
        "/env/bin/python",
        answer("CPython", "3.9.18", {**PACKAGES, "msgspec": "0.17"}),
    )
    assert found.verdict == BAD
    assert found.cure == "/env/bin/python -m pip install 'msgspec>=0.18.6'"


@pytest.mark.parametrize("said", [answer("CPython", "3.8.20", PACKAGES), answer("PyPy", "3.10.0", PACKAGES)])
def test_old_and_other_pythons_are_refused(said: Probe) -> None:
    assert judge("interpreter of detect", "py", said).verdict == BAD


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "python")
    with pytest.raises(EnvironmentFault, match=f"{path} cannot be started: No such file or directory"):
        ask(path, {})


def test_a_program_that_is_no_python_is_told_by_its_own_words(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho what is this? >&2\nexit 3\n")
    program.chmod(0o755)
    [found] = examine(plan_with(str(program)))
    assert (found.verdict, found.text) == (
        BAD, f"{program} is no Python (exit code 3: what is this?)",
    )  # fmt: skip
    assert found.cure == "give the path of a Python, like .venv/bin/python"


def test_our_own_packages_do_not_leak_into_the_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "platform.py").write_text("raise SystemExit('leaked')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    [found] = examine(plan_with(sys.executable, sys.executable))
    assert (found.subject, found.verdict) == ("interpreter of a, b", GOOD)


def test_an_interpreter_is_asked_once_whatever_the_number_of_its_stages() -> None:
    assert len(examine(plan_with(sys.executable, sys.executable, None))) == 1


def test_an_interpreter_that_the_plan_names_and_nobody_has_is_found() -> None:
    [found] = examine(plan_with("/no/such/python"))
    assert found.verdict == BAD
    assert "does not exist" in found.text


def plan_with(*interpreters: str | None) -> Plan:
    code = Reference("", "m", "f")
    stages = [
        StagePlan(name, "stage", code, interpreter=path)
        for name, path in zip("abc", interpreters, strict=False)
    ]
    return Plan("p", stages, [])
