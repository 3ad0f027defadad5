"""The lines that `penstock env export --format dockerfile` writes, built and run by a real engine.

Not collected with the rest, as it needs an engine of containers and a network: `make image` names it. `BASE`
says behind which image the lines go: one with pip and Python 3.11 or newer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BASE = os.environ.get("BASE", "python:3.13-slim")
APP = """
from penstock import Pipeline, sink, source, stage


@source
def numbers():
    yield from range(100)


@stage(env="roots")
def root(number: int) -> float:
    import numpy as np

    return float(np.sqrt(number))


@sink
def save(root: float): ...


pipeline = Pipeline("roots", numbers >> root >> save)
"""


@pytest.mark.timeout(900)
def test_an_environment_is_made_in_an_image_and_runs_there_without_a_network(tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "roots.txt").write_text("numpy\n")
    (tmp_path / "penstock.toml").write_text('[envs.roots]\nrequirements = "envs/roots.txt"\n')
    (tmp_path / "app.py").write_text(APP)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    _do([*pip, "-w", str(tmp_path / "wheels"), str(ROOT)], tmp_path)
    penstock = [sys.executable, "-m", "penstock", "env"]
    _do([*penstock, "lock"], tmp_path)
    lines = _do([*penstock, "export", "roots", "--format", "dockerfile"], tmp_path)
    before = f"FROM {BASE}\nENV PIP_FIND_LINKS=/wheels\nCOPY wheels /wheels\n"
    (tmp_path / "Dockerfile").write_text(f'{before}{lines}CMD ["penstock", "run", "--offline", "app.py"]\n')
    image = f"penstock-test-{os.getpid()}"
    try:
        _do(["docker", "build", "--network", "host", "-t", image, "."], tmp_path)
        said = _do(["docker", "run", "--rm", "--network", "none", image], tmp_path)
    finally:
        subprocess.run(["docker", "image", "rm", "-f", image], capture_output=True, check=False)
    assert "100 in, 100 out, 0 lost, 0 dead" in said
    assert "installing" not in said


def _do(command: list[str], folder: Path) -> str:
    """What a command says; where it fails, that is why."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout if "docker" not in command[0] else done.stdout + done.stderr
