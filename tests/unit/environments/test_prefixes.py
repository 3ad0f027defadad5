from __future__ import annotations

from pathlib import Path

import pytest

from penstock.environments.prefixes import by_name


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def made(*parts: str | Path) -> str:
    prefix = Path(*parts)
    (prefix / "conda-meta").mkdir(parents=True)
    return str(prefix)


def test_without_conda_there_is_none(environ: dict[str, str]) -> None:
    assert by_name(environ) == {}


def test_all_that_conda_would_find_are_known_by_name(tmp_path: Path, environ: dict[str, str]) -> None:
    expected = {
        "base": made(tmp_path, "miniforge3"),
        "lab": made(tmp_path, "miniforge3", "envs", "lab"),
        "old": made(tmp_path, "elsewhere", "old"),
        "mamba": made(tmp_path, "mamba", "envs", "mamba"),
        "told": made(tmp_path, "told", "told"),
        "configured": made(tmp_path, "scratch", "configured"),
        "mine": made(tmp_path, ".conda", "envs", "mine"),
    }
    (tmp_path / "miniforge3" / "envs" / "no-environment").mkdir()
    (tmp_path / ".conda" / "environments.txt").write_text(f"{expected['old']}/\n\n/gone/away\n")
    (tmp_path / ".condarc").write_text("channels: [x]\nenvs_dirs:\n  - ~/scratch\n")
    environ |= {"MAMBA_ROOT_PREFIX": str(tmp_path / "mamba"), "CONDA_ENVS_PATH": str(tmp_path / "told")}
    assert by_name(environ) == expected


def test_of_several_of_one_name_the_one_that_is_told_counts(tmp_path: Path, environ: dict[str, str]) -> None:
    made(tmp_path, "miniforge3", "envs", "lab")
    told = made(tmp_path, "told", "lab")
    assert by_name({**environ, "CONDA_ENVS_DIRS": str(tmp_path / "told")}) == {"lab": told}
    conda = made(tmp_path, "opt", "conda", "envs", "lab")
    assert by_name({**environ, "CONDA_EXE": str(tmp_path / "opt/conda/bin/conda")})["lab"] == conda


@pytest.mark.parametrize("text", ["envs_dirs: x\n", "- a\n", "\t", "envs_dirs: [[a]]\n", ""])
def test_what_is_wrong_with_condas_configuration_is_condas_to_say(
    tmp_path: Path, environ: dict[str, str], text: str
) -> None:
    (tmp_path / ".condarc").write_text(text)
    assert by_name(environ) == {}
