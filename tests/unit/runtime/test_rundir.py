from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from penstock.errors import EnvironmentFault, UserError
from penstock.runtime import control, rundir
from penstock.runtime.rundir import RunDir


@pytest.fixture
def base(tmp_path: Path) -> str:
    path = tmp_path / "runs"
    path.mkdir(mode=0o700)
    return str(path)


def test_a_run_directory_is_closed_to_others_and_held(base: str) -> None:
    made = RunDir(base, "vision")
    assert os.stat(made.path).st_mode & 0o777 == 0o700
    assert made.name.startswith("vision-")
    assert rundir.is_alive(made.path)
    made.remove()
    assert not os.path.exists(made.path)
    made.remove()


def test_the_directory_of_a_dead_run_is_held_by_nobody(base: str) -> None:
    made = RunDir(base, "vision")
    os.close(made._lock)
    made._lock = -1
    assert not rundir.is_alive(made.path)


def test_two_runs_of_one_pipeline_do_not_meet(base: str) -> None:
    assert RunDir(base, "vision").path != RunDir(base, "vision").path


def test_it_says_whose_it_is(base: str) -> None:
    made = RunDir(base, "vision")
    made.describe(pipeline="vision", pid=1)
    told = json.loads(Path(made.path, "run.json").read_text())
    assert told == {"schema": "penstock.run-directory/1", "run": made.name, "pipeline": "vision", "pid": 1}


def test_every_socket_fits_into_a_unix_address(base: str) -> None:
    made = RunDir(base, "a-pipeline-with-a-very-long-name-indeed-" * 3)
    assert len(control.paths(made.path, 2**32)[0]) <= rundir.SOCKET_PATH_LIMIT
    assert len(made.control_socket) <= rundir.SOCKET_PATH_LIMIT


def test_a_base_that_leaves_no_room_for_sockets_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"set PENSTOCK_RUN_DIR to a path at least \d+ bytes shorter"):
        RunDir(str(tmp_path / ("x" * 100)), "vision")


def test_a_base_open_to_others_is_refused_with_the_command_that_closes_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(EnvironmentFault, match=f"close it: chmod 700 {tmp_path}"):
        rundir.secure(str(tmp_path))


def test_a_base_that_is_somebody_elses_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(EnvironmentFault, match="not a directory of yours"):
        rundir.secure(str(tmp_path / "link"))


def test_a_base_that_cannot_be_made_is_a_sentence() -> None:
    with pytest.raises(EnvironmentFault, match="cannot be made"):
        rundir.secure("/proc/nothing/here")


def test_the_files_of_a_worker_can_be_forgotten_twice(base: str) -> None:
    made = RunDir(base, "vision")
    for path in control.paths(made.path, 7):
        Path(path).touch()
    made.forget(7)
    made.forget(7)
    assert sorted(os.listdir(made.path)) == ["run.lock"]


def test_a_pipeline_name_becomes_a_file_name(base: str) -> None:
    assert RunDir(base, "../a b/c").name.startswith("_a_b_c-")
