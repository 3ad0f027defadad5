"""The test stand: readings come from clean runs, and nothing stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.bench.stand import QUICK, Run, Stand
from penstock.bench.trial import Trial
from penstock.errors import PipelineFailed

REPORTS = "from penstock.bench.trial import Trial; Trial.here().report(rate=7.0)"
LEDGER = """
import json, os, pathlib
state = pathlib.Path(os.environ["PENSTOCK_STATE_DIR"])
state.mkdir()
(state / "run.json").write_text(json.dumps({"totals": {"entered": 3, "through": %d}}))
"""
FOREVER = "; import threading; threading.Event().wait()"


def test_a_reading_is_what_a_process_reported() -> None:
    with Stand(QUICK).run() as run:
        run.start("-c", REPORTS + LEDGER % 3)
        assert run.reading() == {"rate": 7.0}
        run.finish()


def test_a_process_that_ends_without_a_reading_says_why() -> None:
    with Stand(QUICK).run() as run:
        run.start("-c", "raise SystemExit('no such socket')")
        with pytest.raises(PipelineFailed, match="no such socket"):
            run.reading()


def test_a_reading_of_a_run_that_failed_afterwards_does_not_count() -> None:
    with Stand(QUICK).run() as run:
        run.start("-c", REPORTS + "; raise SystemExit(1)")
        run.reading()
        with pytest.raises(PipelineFailed, match="exit code 1"):
            run.finish()


def test_a_reading_of_a_run_that_lost_something_does_not_count() -> None:
    with Stand(QUICK).run() as run:
        run.start("-c", REPORTS + LEDGER % 2)
        run.reading()
        with pytest.raises(PipelineFailed, match="does not add up"):
            run.finish()


def test_no_process_and_no_file_is_left_behind() -> None:
    with Stand(QUICK).run() as run:
        process = run.start("-c", REPORTS + FOREVER)
        run.reading()
        directory = run.trial.directory
        assert os.path.isdir(directory)
    assert process.returncode == -9
    assert not os.path.exists(directory)


def test_a_socket_in_the_directory_of_a_run_has_a_short_enough_name() -> None:
    with Stand(QUICK).run() as run:
        assert len(run.trial.path("front")) < 107


def test_runs_keep_their_state_to_themselves(tmp_path: Path) -> None:
    trial = Trial(directory=str(tmp_path))
    with Run(trial) as run:
        run.start("-c", "import os, sys; sys.exit(os.environ['PENSTOCK_STATE_DIR'])").wait()
        assert run.output().strip() == trial.path("state")


def test_what_a_benchmark_that_was_killed_has_left_goes_with_the_next_one() -> None:
    holds = "import sys; from penstock.bench.stand import *\nwith Stand(QUICK).run() as run: "
    tells = "print(run.trial.directory, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", holds + tells]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        directory = killed.stdout.readline().strip()
        Stand(QUICK)
        assert os.path.isdir(directory), "it lives"
        killed.kill()
        killed.wait()
        Stand(QUICK)
        assert not os.path.exists(directory)
