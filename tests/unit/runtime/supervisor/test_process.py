from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from penstock.errors import EnvironmentFault
from penstock.pipeline.plan import StagePlan
from penstock.pipeline.reference import Reference
from penstock.runtime.supervisor import process


def stage(**rules: object) -> StagePlan:
    return StagePlan("work", "stage", Reference("/app", "app", "f"), **rules)  # type: ignore[arg-type]


def test_a_stage_runs_under_our_own_python_unless_it_names_one() -> None:
    assert process.find_interpreter(stage()) == sys.executable


def test_an_environments_python_is_not_followed_to_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    assert process.find_interpreter(stage(interpreter=str(tmp_path / "python"))) == str(tmp_path / "python")


def test_a_missing_interpreter_is_one_sentence_with_the_line_of_the_stage() -> None:
    with pytest.raises(EnvironmentFault) as caught:
        process.find_interpreter(stage(interpreter="/no/python", where="app.py:12"))
    assert str(caught.value) == (
        "app.py:12: work cannot run: its interpreter /no/python does not exist; "
        "give the path of a Python 3.9 or newer that has pyzmq and msgspec"
    )


def test_a_file_that_cannot_be_executed_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "python").touch()
    with pytest.raises(EnvironmentFault, match="cannot be executed"):
        process.find_interpreter(stage(interpreter=str(tmp_path / "python")))


def test_our_pythons_variables_are_kept_from_another_python() -> None:
    inherited = {"PYTHONPATH": "/ours", "VIRTUAL_ENV": "/ours", "LANG": "C"}
    found = process.environment(stage(interpreter="/py"), "/run/dir", inherited)
    assert found == {"LANG": "C", "PENSTOCK_RUN": "/run/dir"}


def test_a_stages_variables_are_added_and_win() -> None:
    found = process.environment(stage(variables={"LANG": "de"}), "/run", {"LANG": "C", "PYTHONPATH": "/ours"})
    assert found == {"LANG": "de", "PYTHONPATH": "/ours", "PENSTOCK_RUN": "/run"}


def test_strangers_that_ended_are_reaped_and_ours_are_left_to_us() -> None:
    ours, strangers = _ended(3), [_ended(0), _ended(0)]
    process.reap_strangers({ours})
    assert os.waitpid(ours, 0)[1] == 3 << 8
    process.reap_strangers({ours})
    for pid in strangers:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, 0)


def _ended(code: int) -> int:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"exit {code}"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid
