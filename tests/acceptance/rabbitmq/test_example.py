"""The training service of the examples, over RabbitMQ, as its page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).resolve().parents[3] / "examples/training/demo.py"


def test_training_goes_on_where_it_was_killed_over_a_broker_too(broker: str, tmp_path: Path) -> None:
    variables = {"BROKER": broker, "PENSTOCK_JOBS": str(tmp_path / "jobs.db")}
    ended = subprocess.run(
        [sys.executable, str(DEMO)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "attempt 1: killed (SIGKILL); attempt 2: done" in ended.stdout
    assert "dead after 3 failures: FileNotFoundError" in ended.stdout
    assert "'epochs_here': 2" in ended.stdout.splitlines()[-1]
