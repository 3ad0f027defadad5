from __future__ import annotations

from pathlib import Path

import pytest

from penstock.cli import statedir
from penstock.errors import NotRunning


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(statedir, "_running", lambda name: {})
    monkeypatch.delenv("PENSTOCK_STATE_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


def ran_here(*names: str) -> None:
    for name in names:
        (Path(".penstock") / name / "logs").mkdir(parents=True)


def test_what_is_said_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    ran_here("demo")
    monkeypatch.setenv("PENSTOCK_STATE_DIR", "elsewhere")
    assert statedir.find(None, None) == Path("elsewhere")
    assert statedir.find(Path("said"), None) == Path("said")


def test_the_only_pipeline_that_ran_here_needs_no_name() -> None:
    ran_here("demo")
    assert statedir.find(None, None) == Path(".penstock/demo")


def test_of_several_one_is_asked_for_with_the_list() -> None:
    ran_here("demo", "other")
    with pytest.raises(NotRunning, match="demo, other; say which with -p NAME"):
        statedir.find(None, None)
    assert statedir.find(None, "other") == Path(".penstock/other")


def test_a_pipeline_that_runs_elsewhere_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statedir, "_running", lambda name: {"far": Path("/away")})
    assert statedir.find(None, None) == Path("/away")


def test_what_lies_here_is_meant_before_what_runs_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statedir, "_running", lambda name: {"far": Path("/away")})
    ran_here("demo")
    assert statedir.find(None, None) == Path(".penstock/demo")


def test_nothing_known_says_what_there_is() -> None:
    ran_here("demo")
    with pytest.raises(NotRunning, match=r"dmeo was never run from this directory .*; there is demo"):
        statedir.find(None, "dmeo")
