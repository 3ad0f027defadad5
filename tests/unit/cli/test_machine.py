from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from penstock.cli import machine
from penstock.cli.finding import BAD, DOUBTFUL, GOOD

MIB = 2**20


def directory(mode: int, uid: int = 1000) -> os.stat_result:
    return os.stat_result((stat.S_IFDIR | mode, 0, 0, 1, uid, 0, 0, 0, 0, 0))


def test_a_container_with_64_mb_of_shared_memory_is_told_about_shm_size() -> None:
    found = machine.judge_shm("/dev/shm", 64 * MIB, 60 * MIB)
    assert found.verdict == DOUBTFUL
    assert "--shm-size" in found.cure


def test_plenty_of_shared_memory_is_fine() -> None:
    assert machine.judge_shm("/dev/shm", 1024 * MIB, 512 * MIB).verdict == GOOD


def test_a_run_directory_that_others_can_enter_is_wrong() -> None:
    found = machine.judge_run_base("/run/x", directory(0o755), 1000)
    assert (found.verdict, found.cure) == (BAD, "chmod 700 /run/x")


def test_a_run_directory_of_somebody_else_is_wrong() -> None:
    assert machine.judge_run_base("/run/x", directory(0o700, uid=1), 1000).verdict == BAD


@pytest.mark.parametrize("found", [None, directory(0o700)])
def test_a_private_run_directory_or_none_yet_is_fine(found: os.stat_result | None) -> None:
    assert machine.judge_run_base("/run/x", found, 1000).verdict == GOOD


@pytest.mark.parametrize(("length", "verdict"), [(20, GOOD), (82, GOOD), (83, BAD)])
def test_a_directory_too_deep_for_sockets_is_wrong(length: int, verdict: str) -> None:
    found = machine.judge_path("/" + "x" * (length - 1))
    assert (found.verdict, "PENSTOCK_RUN_DIR" in found.cure) == (verdict, verdict == BAD)


@pytest.mark.parametrize(("soft", "verdict"), [(64, BAD), (256, DOUBTFUL), (1024, GOOD), (-1, GOOD)])
def test_few_open_files_are_doubtful_and_very_few_are_wrong(soft: int, verdict: str) -> None:
    assert machine.judge_files(soft, 4096).verdict == verdict


def test_the_cure_for_few_open_files_stays_under_the_hard_limit() -> None:
    assert machine.judge_files(256, 4096).cure == "ulimit -n 4096"


@pytest.mark.parametrize(
    ("version", "verdict"),
    [("26.0.2", GOOD), ("25", GOOD), ("24.0.1", BAD), (None, BAD)],
)
def test_a_package_every_worker_needs_must_be_there_and_new_enough(version: str | None, verdict: str) -> None:
    found = machine.judge_package("pyzmq", version, (25,))
    assert found.verdict == verdict
    assert ("pip install 'pyzmq>=25'" in found.cure) == (verdict == BAD)


def test_numpy_may_be_missing() -> None:
    assert machine.judge_package("numpy", None, None).verdict == GOOD


def test_other_systems_and_old_kernels_are_refused_with_a_way_out() -> None:
    assert machine.judge_platform("darwin", "24.0", has_pidfd=False).cure
    assert machine.judge_platform("linux", "4.19", has_pidfd=False).verdict == BAD
    assert machine.judge_platform("linux", "6.1", has_pidfd=True).verdict == GOOD


@pytest.mark.parametrize(
    ("implementation", "version", "verdict"),
    [("cpython", (3, 11, 7), GOOD), ("cpython", (3, 10, 0), BAD), ("pypy", (3, 11, 7), BAD)],
)
def test_the_supervisor_needs_cpython_3_11(
    implementation: str, version: tuple[int, ...], verdict: str
) -> None:
    assert machine.judge_python(implementation, version).verdict == verdict


def test_what_dead_runs_left_is_named() -> None:
    found = machine.judge_dead_runs(["/dev/shm/penstock-0/demo-12ab34"])
    assert (found.verdict, "demo-12ab34" in found.text) == (DOUBTFUL, True)


def test_all_of_this_machine_can_be_looked_at_before_any_run_directory_exists(tmp_path: Path) -> None:
    findings = machine.examine(str(tmp_path / "not" / "yet"), [])
    assert {"system", "python", "pyzmq", "msgspec", "shared memory", "run directory", "open files"} <= {
        finding.subject for finding in findings
    }
