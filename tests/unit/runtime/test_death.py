from __future__ import annotations

import signal

import pytest

from penstock.runtime.death import Death, cause


@pytest.mark.parametrize(
    ("death", "name"),
    [
        (Death(exit=3), "exit code 3"),
        (Death(exit=0), "exit code 0"),
        (Death(exit=-signal.SIGKILL), "killed (SIGKILL)"),
        (Death(exit=-signal.SIGSEGV, oom=True), "killed (SIGSEGV)"),
        (Death(exit=-signal.SIGKILL, oom=True), "out of memory"),
        (Death(exit=-63), "killed (signal 63)"),
        (
            Death(exit=71, stillborn="no process could be made: Too many open files"),
            "no process could be made: Too many open files",
        ),
    ],
)
def test_each_death_has_a_name(death: Death, name: str) -> None:
    assert cause(death) == name


def test_a_kill_of_ours_is_named_by_its_reason() -> None:
    assert cause(Death(exit=-signal.SIGKILL, oom=True), "timed out after 30 s") == "timed out after 30 s"
