from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from penstock.runtime.rundir import RunDir
from penstock.runtime.sweep import VARIABLE, kill_descendants, sweep


@pytest.fixture
def base(tmp_path: Path) -> str:
    path = tmp_path / "runs"
    path.mkdir(mode=0o700)
    return str(path)


def dead_run(base: str, name: str) -> RunDir:
    made = RunDir(base, name)
    Path(made.path, "3.arena").write_bytes(b"x" * 4096)
    os.close(made._lock)
    made._lock = -1
    return made


def descendant(run: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "600"], env={**os.environ, VARIABLE: run}, start_new_session=True)


def test_what_a_dead_run_left_is_taken_away(base: str) -> None:
    dead = dead_run(base, "dead")
    orphan = descendant(dead.path)
    found = sweep(base)
    assert [(each.run, each.processes) for each in found] == [(dead.name, 1)]
    assert orphan.wait(60) == -9
    assert not os.path.exists(dead.path)


def test_a_living_run_is_left_alone(base: str) -> None:
    living = RunDir(base, "living")
    process = descendant(living.path)
    try:
        assert sweep(base) == []
        assert os.path.exists(living.path)
        assert process.poll() is None
    finally:
        assert kill_descendants(living.path) == 1
        process.wait(60)


def test_processes_of_other_runs_are_not_touched(base: str) -> None:
    dead = dead_run(base, "dead")
    other = descendant(dead.path + "0")
    try:
        assert sweep(base)[0].processes == 0
        assert other.poll() is None
    finally:
        other.kill()
        other.wait(60)


def test_nothing_to_sweep_is_fine(base: str) -> None:
    assert sweep(base) == []
