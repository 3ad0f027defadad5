from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from penstock.environments import known
from penstock.errors import EnvironmentFault


def test_a_python_is_asked_once_until_it_is_another(tmp_path: Path) -> None:
    python, asked = tmp_path / "python", tmp_path / "asked"
    folder = str(tmp_path / "pythons")

    def write(note: str) -> None:
        python.write_text(f'#!/bin/sh\necho {note} >> {asked}\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)

    write("first")
    found = known.python(str(python), os.environ, folder)
    assert found[0] == str(python)
    assert known.python(str(python), os.environ, folder) == found
    assert asked.read_text() == "first\n"
    known.python(str(python), {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}, folder)
    write("another")
    known.python(str(python), os.environ, folder)
    assert asked.read_text() == "first\nfirst\nanother\n"
    for each in Path(folder).iterdir():
        each.write_bytes(b'{"half')
    assert known.python(str(python), os.environ, folder) == found
    python.unlink()
    with pytest.raises(EnvironmentFault, match="does not exist"):
        known.python(str(python), os.environ, folder)
