"""The examples do what their READMEs say, as a reader would run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import BUILT

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
A_SET = 1_437
"""Images of one epoch."""
BATCHES = 12
HALF = pytest.approx(0.5, abs=0.01)


def run(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One program of an example, with its state kept out of the checkout."""
    ours = {"PENSTOCK_STATE_DIR": str(tmp_path / "state"), "PENSTOCK_CACHE_DIR": str(BUILT)}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **ours, **variables},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def demo(tmp_path: Path, *, images: int, **variables: str) -> subprocess.CompletedProcess[str]:
    epochs = str(images // A_SET)
    return run(tmp_path, str(EXAMPLES / "digits/demo.py"), DIGITS_EPOCHS=epochs, **variables)


def test_digits_are_learnt_in_three_pythons_though_a_replica_is_killed_and_the_ledger_adds_up(
    tmp_path: Path, worker_python: Callable[[str], str]
) -> None:
    images = 60 * A_SET  # two thirds of them take longer than to find somebody to kill
    for version in ("3.9", "3.10", "3.13"):
        worker_python(version)
    ended = demo(tmp_path, images=images, KILL="1")
    for line in (r"images +Python 3\.9\.\d+ +NumPy 1\.", r"augment +Python 3\.10\.\d+ +NumPy 2\.[012]\."):
        assert re.search(line, ended.stdout), ended.stdout + ended.stderr
    assert re.search(r"train +Python 3\.13\.\d+ +NumPy 2\.", ended.stdout), ended.stdout
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"kill -9 \d+ +\(Augment/\d\)", ended.stdout)
    assert "killed (SIGKILL)" in ended.stdout
    assert f"{images:,} in, {images:,} out, 0 lost, 0 dead" in ended.stdout
    assert re.search(rf"learnt from {images:,} of {images:,} images.*, recognises 9\d\.\d%", ended.stdout)


def test_without_these_pythons_all_stages_run_in_the_one_there_is(tmp_path: Path) -> None:
    nowhere = {"PATH": "/nowhere", "HOME": str(tmp_path), "PYENV_ROOT": "/nowhere", "KILL": ""}
    images = 20 * A_SET  # ten would do, on most days
    ended = demo(tmp_path, images=images, **nowhere)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"all stages in one Python, 3\.\d+\.\d+ \(images: .*3\.9", ended.stdout), ended.stdout
    assert f"{images:,} in, {images:,} out, 0 lost, 0 dead" in ended.stdout


@pytest.mark.parametrize(
    "program",
    [
        ["app.py"],
        ["inplace.py"],
        pytest.param(["plain.py", "pickle"], marks=pytest.mark.long),
        pytest.param(["plain.py", "nocopy"], marks=pytest.mark.long),
    ],
)
def test_frames_reach_the_trainer_whole_however_they_travel(tmp_path: Path, program: list[str]) -> None:
    report = tmp_path / "report.json"
    file, *style = program
    ended = run(
        tmp_path,
        str(EXAMPLES / "frames" / file),
        *style,
        FRAMES_BATCHES=str(BATCHES),
        FRAMES_REPORT=str(report),
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(report.read_text("utf-8"))
    assert (found["batches"], found["mean"]) == (BATCHES, HALF)


def test_frames_are_compared_side_by_side(tmp_path: Path) -> None:
    ended = run(tmp_path, str(EXAMPLES / "frames/compare.py"), FRAMES_BATCHES=str(BATCHES))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [line.strip().partition("  ")[0] for line in ended.stdout.splitlines()]
    assert rows == ["plain zmq, send_pyobj", "plain zmq, copy=False", "penstock", "penstock, in place"]


def test_a_model_is_called_watched_and_replaced_while_it_works(tmp_path: Path) -> None:
    ended = run(tmp_path, str(EXAMPLES / "services/demo.py"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "locate: 80%   locate@newer: 20%" in ended.stdout
    assert "0 lost, 0 dead" in ended.stdout, ended.stdout


def test_training_goes_on_where_it_was_killed_and_a_wrong_path_is_put_right(tmp_path: Path) -> None:
    ended = run(tmp_path, str(EXAMPLES / "training/demo.py"), PENSTOCK_JOBS=str(tmp_path / "jobs.db"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "attempt 1: killed (SIGKILL); attempt 2: done" in ended.stdout
    assert re.search(r"359 digits by 8 jobs, 9\d\.\d% right", ended.stdout)
    assert "dead after 3 failures: FileNotFoundError" in ended.stdout
    assert "'epochs_here': 2" in ended.stdout.splitlines()[-1]


def test_a_training_script_needs_no_change_to_be_a_job(tmp_path: Path) -> None:
    script = str(EXAMPLES / "training/train_model.py")
    data, model = str(tmp_path / "digits.npz"), tmp_path / "digits.model"
    write = f"import learning; learning.write_digits({data!r})"
    subprocess.run([sys.executable, "-c", write], cwd=EXAMPLES / "training", check=True)
    ended = run(tmp_path, script, "--data", data, "--model", str(model), "--epochs", "2")
    assert "epoch 2 of 2" in ended.stdout, ended.stderr
    assert model.exists()
