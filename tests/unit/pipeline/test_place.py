from __future__ import annotations

import sys
from pathlib import Path

import pytest

from penstock.pipeline.place import Place, caller, importing, near


def test_the_caller_is_who_called_the_function_that_asks() -> None:
    def asks() -> Place:
        return caller()

    place = asks()
    assert place == Place(__file__, sys._getframe().f_lineno - 1)


def test_a_place_below_the_current_directory_is_written_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(Place(str(tmp_path / "steps" / "clean.py"), 7)) == "steps/clean.py:7"
    assert near("/elsewhere/app.py") == "/elsewhere/app.py"
    assert near(f"{tmp_path}2/app.py") == f"{tmp_path}2/app.py"


def test_only_the_top_level_of_a_file_that_is_imported_counts_as_importing() -> None:
    def run() -> Place | None:
        return importing()

    top_level = compile("found = run()", "app.py", "exec")
    imported = {"run": run, "__name__": "app"}
    script = {"run": run, "__name__": "__main__"}
    exec(top_level, imported)
    exec(top_level, script)
    assert imported["found"] == Place("app.py", 1)
    assert script["found"] is None
    assert run() is None
