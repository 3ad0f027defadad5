"""The law of the house: who may import whom (the contracts stand in pyproject.toml)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _lint(tree: Path) -> subprocess.CompletedProcess[str]:
    # The linter puts its working directory first on the path, so it reads the tree it stands in.
    code = (
        "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as c; c()"
    )
    command = [sys.executable, "-c", code, "--no-cache", "--config", str(tree / "pyproject.toml")]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_every_import_obeys_the_contracts() -> None:
    answer = _lint(ROOT)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("pipeline/graph.py", "import subprocess", "Decision modules"),
        ("message/codec.py", "import zmq", "zmq is known"),
        ("message/codec.py", "import penstock.runtime.control", "downhill"),
        ("runtime/worker/worker.py", "import penstock.runtime.policy.policy", "A worker stays light"),
        ("runtime/supervisor/supervisor.py", "import penstock.runtime.worker.worker", "only on the wire"),
        ("utils.py", "", "utils"),
    ],
)
def test_the_contracts_see_a_fault_that_is_planted(tmp_path: Path, file: str, line: str, broken: str) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "src" / "penstock" / file).open("a") as source:
        source.write(f"\n{line}\n")
    answer = _lint(tmp_path)
    assert answer.returncode != 0
    assert broken in answer.stdout + answer.stderr


def test_no_contract_names_a_module_that_is_gone() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = {
        name
        for contract in contracts
        for key in ("source_modules", "forbidden_modules", "modules")
        for name in contract.get(key, [])
        if name.startswith("penstock.")
    }
    for name in named:
        path = ROOT / "src" / Path(*name.split("."))
        assert path.is_dir() or path.with_suffix(".py").exists(), name
