"""What the tree may not contain, and what each public name must say."""

from __future__ import annotations

import inspect
import re
import subprocess
from pathlib import Path

import pytest

import penstock

ROOT = Path(__file__).resolve().parents[2]
# Written so that this file does not match itself.
MACHINE = re.compile(r"(?<![\w.])/(wor[k]|roo[t]|far[m]|hom[e]/\w+)/")
REGISTRY = re.compile(r"p[y]pi[.]org|python[h]osted|registry[.]npm[j]s|deb[.]debia[n]")
UNFINISHED = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|NotImplemented[E]rror)\b")
NO_NOUN = {"utils.py", "util.py", "common.py", "helpers.py", "helper.py", "base.py", "misc.py"}


def _tree() -> list[Path]:
    """All that is or could be committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listing.stdout.splitlines() if (path := ROOT / name).is_file()]


def _lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    found = []
    for path in paths:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    return found


def test_nothing_in_the_tree_knows_the_machine_it_was_written_on() -> None:
    assert _lines_with(MACHINE, _tree()) == []


def test_nothing_in_the_tree_names_a_package_registry() -> None:
    assert _lines_with(REGISTRY, _tree()) == []


def test_nothing_is_left_for_later() -> None:
    sources = [path for path in _tree() if path.suffix == ".py"]
    assert _lines_with(UNFINISHED, sources) == []


def test_every_file_is_named_by_its_noun() -> None:
    assert [str(path) for path in (ROOT / "src").rglob("*.py") if path.name in NO_NOUN] == []


@pytest.mark.parametrize("name", sorted(penstock.__all__))
def test_every_public_name_says_what_it_is_for(name: str) -> None:
    value = getattr(penstock, name)
    if callable(value) or inspect.ismodule(value):
        assert (inspect.getdoc(value) or "").strip(), f"penstock.{name} has no docstring"


def test_every_room_says_what_it_is_for() -> None:
    rooms = [path for path in (ROOT / "src").rglob("__init__.py") if path.read_text().lstrip()[:3] != '"""']
    assert rooms == []
