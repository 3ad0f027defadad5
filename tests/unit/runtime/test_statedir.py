from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.errors import EnvironmentFault
from penstock.runtime import statedir
from penstock.runtime.statedir import StateDir


def test_it_lies_beside_the_app_unless_it_was_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert statedir.locate(None, "/srv/app.py", "vision") == "/srv/.penstock/vision"
    assert statedir.locate(None, None, "vision") == str(tmp_path / ".penstock/vision")
    assert statedir.locate("state", "/srv/app.py", "vision") == str(tmp_path / "state")


def test_it_is_hidden_from_git(tmp_path: Path) -> None:
    StateDir(str(tmp_path / ".penstock/vision"))
    assert (tmp_path / ".penstock/.gitignore").read_text() == "*\n"


def test_others_do_not_read_it(tmp_path: Path) -> None:
    path = tmp_path / "app/.penstock/vision"
    StateDir(str(path))
    assert [each.stat().st_mode & 0o777 for each in (path, path.parent)] == [0o700, 0o700]


def test_a_chosen_directory_gets_no_such_file(tmp_path: Path) -> None:
    StateDir(str(tmp_path / "state"))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["dead", "logs", "state"]


def test_one_that_cannot_be_written_is_a_sentence() -> None:
    with pytest.raises(EnvironmentFault, match="set PENSTOCK_STATE_DIR to a directory that can be written"):
        StateDir("/proc/nothing")


def test_the_account_of_the_last_run_is_kept_whole(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    state.keep({"exit": 0})
    state.keep({"exit": 1})
    assert json.loads((tmp_path / "run.json").read_text()) == {"exit": 1}
    assert not (tmp_path / "run.part").exists()


def test_the_tail_of_a_log_begins_with_this_process(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of the last run\n")
    since = log.stat().st_size
    log.write_text("of the last run\n" + "".join(f"line {n}\n" for n in range(20)))
    tail = statedir.tail(str(log), since)
    assert tail.startswith("line 0\n")
    assert statedir.last_lines(tail).splitlines() == [f"line {n}" for n in range(12, 20)]
    assert statedir.tail(str(tmp_path / "none"), 0) == ""
