"""A stranger with a fresh clone: what `make` says and does before anything is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
TARGETS = ("setup", "demo", "rabbitmq", "test", "check", "torch", "faults", "bench", "docs", "clean")
TOOLS = ("sh", "dirname", "rm", "touch")


def _without_python(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run the installer where `python3` is there and is too old."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(shutil.which(tool) or tool)
    (programs / "python3").write_text("#!/bin/sh\nexit 1\n")
    (programs / "python3").chmod(0o755)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    environment = {"PATH": str(programs), "HOME": str(tmp_path)}
    command = [str(tmp_path / "requirements" / "venv"), "dev"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(
    any(Path("/usr/local/bin").glob("python3.1[1-4]")), reason="a Python is where the installer looks itself"
)
def test_without_a_new_enough_python_make_says_which_and_how_to_get_it(tmp_path: Path) -> None:
    answer = _without_python(tmp_path)
    assert answer.returncode == 1
    assert "needs Python 3.11" in answer.stderr
    assert "make PYTHON=/path/to/python" in answer.stderr
    assert not (tmp_path / ".venv").exists()


def test_make_alone_explains_every_target() -> None:
    help_text = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in TARGETS:
        assert re.search(rf"^  make {target} +\w", help_text, re.MULTILINE), target


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_a_recipe_that_make_can_read(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=True)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_requirement_has_a_hash_and_none_an_address(lock: Path) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", lock.read_text().partition("\n#    make lock\n")[2])
    assert entries
    for entry in entries:
        assert re.match(r"[\w.-]+==[\w.]+", entry), entry
        assert "--hash=sha256:" in entry, entry
    assert "://" not in lock.read_text()


def test_what_demo_and_runtime_lock_is_what_dev_locks() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        return set(re.findall(r"^\S+==[^\\\n]+", text, re.MULTILINE))

    assert pins("runtime") <= pins("demo") <= pins("dev")
