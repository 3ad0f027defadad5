from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from penstock.environments import interpreters, layer
from penstock.environments.surroundings import scrubbed
from penstock.errors import EnvironmentFault
from penstock.runtime import boot
from tests.conftest import find_interpreter


def program(folder: Path, text: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_an_interpreter_says_what_it_is_and_has() -> None:
    found = interpreters.probe(sys.executable, os.environ)
    assert found.minor == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert found.prefix == sys.prefix
    assert found.packages["pyzmq"]
    interpreters.refuse_unfit(sys.executable, found)


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.13"])
def test_a_version_finds_its_python_whatever_shims_are_on_the_path(version: str) -> None:
    find_interpreter(version)
    python = interpreters.find(version, os.environ)
    assert interpreters.probe(python, os.environ).minor == version
    assert "shims" not in python


def test_a_range_is_met_and_ours_is_taken_where_it_fits() -> None:
    find_interpreter("3.9")
    older = interpreters.probe(interpreters.find(">=3.9,<3.11", os.environ), os.environ)
    assert older.minor in {"3.9", "3.10"}
    assert interpreters.find(">=3.11", os.environ) == sys.executable
    assert interpreters.find("", os.environ) == sys.executable


def test_a_python_that_nobody_has_is_one_sentence_with_a_cure() -> None:
    with pytest.raises(
        EnvironmentFault, match=r"there is no Python 3\.99 here; install one \(uv python inst"
    ):
        interpreters.find("3.99", os.environ)


def test_a_path_keeps_its_links(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    assert interpreters.find(str(link), os.environ) == str(link)


def test_a_path_where_nothing_can_be_run_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="does not exist"):
        interpreters.find(str(tmp_path / "gone"), os.environ)
    with pytest.raises(EnvironmentFault, match="cannot be executed"):
        interpreters.find(str(tmp_path / "file"), os.environ)


def test_a_program_that_is_no_python_is_told_by_its_own_words(tmp_path: Path) -> None:
    path = program(tmp_path, "echo what is this? >&2; exit 3")
    with pytest.raises(EnvironmentFault, match=r"is no Python \(exit code 3: what is this\?\)"):
        interpreters.probe(path, os.environ)


def test_what_a_sitecustomize_prints_is_not_its_answer(tmp_path: Path) -> None:
    path = program(tmp_path, f'echo hello; printf "caf\\351 {{"; exec "{sys.executable}" "$@"')
    assert interpreters.probe(path, os.environ).prefix == sys.prefix


def test_what_is_of_another_python_or_conda_is_not_seen() -> None:
    wrong = ("PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "PYTHONINSPECT", "_CE_CONDA", "_CE_M", "CONDA_PREFIX")
    kept = {"CONDA_OVERRIDE_CUDA": "12", "PYTHONUNBUFFERED": "1", "HOME": "/h"}
    assert scrubbed({**dict.fromkeys(wrong, "1"), **kept}) == kept


@pytest.mark.parametrize(
    ("implementation", "version"), [("CPython", "2.7.18"), ("CPython", "3.8.20"), ("PyPy", "3.10.14")]
)
def test_what_cannot_run_a_worker_is_refused(implementation: str, version: str) -> None:
    ours = interpreters.probe(sys.executable, os.environ)
    other = interpreters.Probe(
        **{
            **{name: getattr(ours, name) for name in ours.__struct_fields__},
            "implementation": implementation,
            "version": version,
        }
    )
    with pytest.raises(EnvironmentFault, match=f"/py is {implementation} {version}; stages need CPython 3.9"):
        interpreters.refuse_unfit("/py", other)


def test_our_own_packages_do_not_leak_into_the_answer(tmp_path: Path) -> None:
    (tmp_path / "platform.py").write_text("raise SystemExit('leaked')")
    around = {**os.environ, "PYTHONPATH": str(tmp_path), "CONDA_PREFIX": "/x"}
    assert interpreters.probe(sys.executable, around).implementation == "CPython"


def test_what_a_worker_needs_is_what_it_looks_for() -> None:
    assert interpreters.OLDEST == boot.OLDEST
    assert {name: boot.numbers(least) for name, least in layer.NEEDS.items()} == {
        package: least for _, package, least in boot.NEEDS
    }


@pytest.mark.skipif(not Path("~/.pyenv/versions/2.7.18").expanduser().exists(), reason="no Python 2.7")
def test_python_2_is_asked_and_refused() -> None:
    python = str(Path("~/.pyenv/versions/2.7.18/bin/python").expanduser())
    with pytest.raises(EnvironmentFault, match=r"is CPython 2\.7\.18; stages need"):
        interpreters.refuse_unfit(python, interpreters.probe(python, os.environ))
