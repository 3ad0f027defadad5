from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock.config.file import entries, nearest_file
from penstock.errors import UserError


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def found_from(directory: Path) -> str | None:
    found = nearest_file(str(directory))
    return None if found is None else os.path.relpath(found.path, directory)


def test_the_nearest_directory_upwards_that_has_one_counts(project: Path) -> None:
    write(project / "penstock.toml", "")
    write(project / "a" / "pyproject.toml", "[tool.penstock]\n")
    write(project / "a" / "b" / "pyproject.toml", '[project]\nname = "penstock-demo"\n')
    assert found_from(project) == "penstock.toml"
    assert found_from(project / "a" / "b") == "../pyproject.toml"


def test_where_a_directory_has_both_ours_counts_whole(project: Path) -> None:
    write(project / "penstock.toml", "[config]\na = 1\n")
    write(project / "pyproject.toml", "[tool.penstock.config]\nb = 1\n")
    found = nearest_file(str(project))
    assert found is not None
    assert found.table == {"config": {"a": 1}}


def test_a_table_of_pyproject_knows_its_lines(project: Path) -> None:
    write(
        project / "pyproject.toml", "[project]\nname = 'x'\n\n[tool.penstock.stages.detect]\nreplicas = 2\n"
    )
    found = nearest_file(str(project))
    assert found is not None
    [entry], _ = entries(found, None, [])
    assert (entry.path, entry.value) == (("stages", "detect", "replicas"), 2)
    assert str(entry.place) == "pyproject.toml:5"


def test_what_is_no_toml_is_told_with_its_line(project: Path) -> None:
    write(project / "penstock.toml", "[stages]\nreplicas : 2\n")
    with pytest.raises(UserError, match=r"^penstock\.toml:2: this is not TOML: .*[^)]$"):
        nearest_file(str(project))


def test_a_file_that_ends_too_soon_is_told_with_its_last_line(project: Path) -> None:
    write(project / "penstock.toml", "[stages]\na = [1,\n")
    with pytest.raises(UserError, match=r"^penstock\.toml:\d: this is not TOML"):
        nearest_file(str(project))


def test_a_file_that_is_not_text_is_refused(project: Path) -> None:
    (project / "penstock.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"penstock\.toml is not text in UTF-8"):
        nearest_file(str(project))


def test_a_directory_of_that_name_cannot_be_read(project: Path) -> None:
    (project / "penstock.toml").mkdir()
    with pytest.raises(UserError, match=r"penstock\.toml cannot be read: Is a directory"):
        nearest_file(str(project))


def test_a_file_that_somebody_else_laid_there_is_not_trusted(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "penstock.toml", "")
    mine = os.stat(project / "penstock.toml")
    stranger = os.stat_result((*mine[:4], 4711, *mine[5:]))
    monkeypatch.setattr(os, "fstat", lambda _: stranger)
    with pytest.raises(UserError, match="belongs to another user"):
        nearest_file(str(project))


def test_the_app_is_seen_from_the_file(project: Path) -> None:
    write(project / "penstock.toml", 'app = "src/app.py:pipeline"')
    found = nearest_file(str(project))
    assert found is not None
    assert found.app == str(project / "src" / "app.py:pipeline")


def mistakes_in(project: Path, text: str) -> list[str]:
    write(project / "penstock.toml", text)
    found = nearest_file(str(project))
    assert found is not None
    mistakes: list[str] = []
    entries(found, None, mistakes)
    return mistakes


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("\nstage = 1", "2: there is no key 'stage'; did you mean 'stages'?"),
        ("stages = 2", "1: stages=2: must be a table: [stages]"),
        ("[stages]\ndetect = 2", "2: stages.detect=2: must be a table of knobs: [stages.detect]"),
        ("config = 'x'", "1: config='x': must be a table: [config]"),
        ("profile = 'x'", "1: profile='x': must be tables, like [profile.gpu]"),
        ("[profile]\ngpu = 1", "2: profile.gpu must be a table: [profile.gpu]"),
        ("[profile.gpu]\nstage = {}", "2: there is no key 'stage' in [profile.gpu]; did you mean 'stages'?"),
        ("schema = 2", "1: schema=2: this penstock reads schema 1; leave it away, ..."),
        ("schema = true", "1: schema=True: this penstock reads schema 1; leave it away, ..."),
        ("app = 5", '1: app=5: must be a text like "app.py" or "app.py:pipeline"'),
    ],
)
def test_what_means_nothing_is_one_sentence_with_its_line(project: Path, text: str, mistake: str) -> None:
    [told] = mistakes_in(project, text)
    beginning, _, _ = mistake.partition("...")
    assert told.startswith(f"penstock.toml:{beginning}")
