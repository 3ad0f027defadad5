"""Who is concerned by a change, and whether an app is wired as it was."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from penstock.runtime.supervisor.reloader import EVERY, affected, wiring
from penstock.runtime.worker import imports


def test_who_has_imported_a_changed_file_is_concerned_and_who_does_not_say_is_too() -> None:
    found = {1: {"/app/a.py", "/app/b.py"}, 2: {"/app/b.py"}, 3: {EVERY}, 4: set[str]()}
    assert affected(found, {"/app/a.py"}) == {1, 3}
    assert affected(found, {"/app/b.py", "/app/c.py"}) == {1, 2, 3}
    assert affected(found, {"/app/c.py"}) == {3}


def test_lines_that_have_moved_are_no_other_wiring() -> None:
    one = json.dumps({"stages": [{"name": "a", "where": "app.py:3", "window": 0}], "links": []})
    assert wiring(one) == wiring(one.replace("app.py:3", "app.py:30"))
    assert wiring(one) != wiring(one.replace('"window": 0', '"window": 1'))


def test_a_worker_names_what_it_has_imported_from_there_and_nothing_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_alone.py").write_text("")
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "theirs_alone.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(installed))
    for name in ("mine_alone", "theirs_alone"):
        __import__(name)
    try:
        assert imports.below([str(tmp_path)]) == [str(tmp_path / "mine_alone.py")]
        assert imports.below([str(tmp_path / "mine")]) == []
    finally:
        del sys.modules["mine_alone"], sys.modules["theirs_alone"]
