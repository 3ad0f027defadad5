from __future__ import annotations

import signal

import pytest

from penstock.runtime.policy.death import Death, cause, crash_report


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


CRASHED = """\
loading weights
Fatal Python error: Segmentation fault

Thread 0x00007f251d0936c0 (most recent call first):
  File "/lib/python3.11/threading.py", line 982 in run

Current thread 0x00007f268dc88b80 (most recent call first):
  File "/apps/vision.py", line 12 in infer
  File "/apps/vision.py", line 40 in __call__
  File "/lib/penstock/runtime/worker/handler.py", line 81 in call
  File "/lib/penstock/runtime/boot.py", line 116 in <module>

Extension modules: zmq.backend.cython._zmq, msgspec._core (total: 2)
"""


def test_a_crash_is_told_by_the_users_own_frames() -> None:
    assert crash_report(CRASHED).splitlines() == [
        "Fatal Python error: Segmentation fault",
        '  File "/apps/vision.py", line 12 in infer',
        '  File "/apps/vision.py", line 40 in __call__',
    ]


def test_a_log_without_a_crash_reports_none() -> None:
    assert crash_report("loading weights\nTraceback: no\n") == ""


def test_of_several_crashes_the_last_is_told() -> None:
    log = CRASHED + CRASHED.replace("infer", "train")
    assert "train" in crash_report(log)
    assert "infer" not in crash_report(log)


def test_what_is_wrong_with_an_interpreter_is_the_cause() -> None:
    assert cause(Death(exit=78, fault="/py is too old")) == "/py is too old"
