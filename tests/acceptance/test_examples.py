"""The examples do what their READMEs say, as a reader would run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
A_SET = 1_437
"""Images of one epoch."""
BATCHES = 12
HALF = pytest.approx(0.5, abs=0.01)


def run(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One program of an example, with its state kept out of the checkout."""
    environment = {**os.environ, "PENSTOCK_STATE_DIR": str(tmp_path / "state"), **variables}
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def demo(tmp_path: Path, *, images: int, **variables: str) -> subprocess.CompletedProcess[str]:
    epochs = str(images // A_SET)
    return run(tmp_path, str(EXAMPLES / "digits/demo.py"), DIGITS_EPOCHS=epochs, **variables)


def test_digits_are_learnt_and_the_ledger_adds_up(tmp_path: Path) -> None:
    images = 20 * A_SET
    ended = demo(tmp_path, images=images)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{images:,} in, {images:,} out, 0 lost, 0 dead" in ended.stdout
    assert re.search(rf"learnt from {images:,} of {images:,} images, recognises 9\d\.\d%", ended.stdout)


def test_a_killed_replica_changes_nothing_about_what_was_learnt_from(tmp_path: Path) -> None:
    images = 60 * A_SET  # two thirds of them take longer than to find somebody to kill
    ended = demo(tmp_path, images=images, KILL="1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"kill -9 \d+ +\(Augment/\d\)", ended.stdout)
    assert "killed (SIGKILL)" in ended.stdout
    assert f"{images:,} in, {images:,} out, 0 lost, 0 dead" in ended.stdout
    assert f"learnt from {images:,} of {images:,} images" in ended.stdout


@pytest.mark.parametrize(
    "program", [["app.py"], ["inplace.py"], ["plain.py", "pickle"], ["plain.py", "nocopy"]]
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
