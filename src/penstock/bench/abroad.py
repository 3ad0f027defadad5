"""Pipelines whose stages run in environments of their own, with other Pythons and versions of NumPy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from penstock.bench.stand import APPS
from penstock.errors import PipelineFailed

OLD, MIDDLE, NEW = "old", "middle", "new"
PACKAGES = {OLD: ("3.9", "numpy==1.24.*"), MIDDLE: ("3.10", "numpy==2.0.*"), NEW: ("3.13", "numpy==2.4.*")}
"""The Python of each, and what is installed there."""


def app(folder: str, name: str, envs: Mapping[str, str]) -> str:
    """A copy of ``apps/NAME`` in ``folder`` whose stages run in ``envs``, by the name of the stage; its path.

    Raises:
        PipelineFailed: such environments cannot be made here.
    """
    described, locked = _made()
    stages = "".join(f'[stages.{stage}]\nenv = "{env}"\n' for stage, env in envs.items())
    os.makedirs(folder)
    _write(folder, described + stages)
    Path(folder, "penstock.lock").write_text(locked, "utf-8")
    return shutil.copy(APPS / name, folder)


def _write(folder: str, described: str) -> None:
    for name, (_, packages) in PACKAGES.items():
        Path(folder, f"{name}.txt").write_text(f"{packages}\n", "utf-8")
    Path(folder, "penstock.toml").write_text(described, "utf-8")


@cache
def _made() -> tuple[str, str]:
    """What ``penstock.toml`` and ``penstock.lock`` say of them. They are built by then."""
    described = "".join(_tables())
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        _write(folder, described)
        for verb in ("lock", "build"):
            command = [sys.executable, "-m", "penstock", "env", verb]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise PipelineFailed(f"its environments cannot be made:\n{done.stderr}")
        return described, Path(folder, "penstock.lock").read_text("utf-8")


def _tables() -> Iterator[str]:
    for name, (python, _) in PACKAGES.items():
        yield f'[envs.{name}]\nrequirements = "{name}.txt"\npython = "{python}"\n'
