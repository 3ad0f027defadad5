"""An interpreter that is there already, and cannot be had: the line that asks for it is told, and why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock.environments import existing
from penstock.environments.spec import Interpreter
from penstock.errors import EnvironmentFault

OLD = """#!/bin/sh
echo '{"implementation": "%s", "version": "%s", "tag": "", "soabi": "", "platform": "linux-x86_64",
"prefix": "/x", "base": "/x", "purelib": "/x", "packages": {}}' | tr -d '\\n'
"""


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (None, "the interpreter .* does not exist"),
        ("#!/bin/sh\n", r".* is no Python \(exit code 0: no output\)"),
        (OLD % ("CPython", "2.7.18"), r".* is CPython 2\.7\.18; stages need CPython 3\.9 or newer"),
        (OLD % ("CPython", "3.8.18"), r".* is CPython 3\.8\.18; stages need CPython 3\.9 or newer"),
        (OLD % ("PyPy", "3.10.14"), r".* is PyPy 3\.10\.14; stages need CPython 3\.9 or newer"),
    ],
)
def test_what_is_wrong_is_told_with_the_line_that_asks_for_it(
    program: str | None, why: str, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    if program is not None:
        python.write_text(program)
        python.chmod(0o755)
    spec = Interpreter(name="old", origin="penstock.toml:2", path=str(python))
    with pytest.raises(EnvironmentFault, match=rf"^penstock\.toml:2: envs\.old: {why}$"):
        existing.asked(spec, os.environ)
