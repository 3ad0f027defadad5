"""What was accepted is on disk: after kill -9 at any moment, with others writing, and with no room left."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from penstock.tasks.store import Store
from tests.faults.rig import NAMESPACE

pytestmark = pytest.mark.fault

SUBMIT = """
import sys
from penstock.tasks.job import NewJob
from penstock.tasks.store import Store
store = Store(sys.argv[1])
while True:
    for id in store.submit([NewJob("g", "t", b"a" * 100_000) for _ in range(3)]):
        print(id, flush=True)
"""

CLAIM = """
import sys
from penstock.tasks.settle import Done
from penstock.tasks.settle import Closing
from penstock.tasks.store import Store
store = Store(sys.argv[1])
print("here", flush=True)
sys.stdin.readline()
while claims := store.claim(sys.argv[2], "g", 2):
    store.close_attempts([Closing(claim.id, claim.fence, Done()) for claim in claims])
    for claim in claims:
        print(claim.id, claim.fence, flush=True)
"""

FULL = """
import os, sqlite3, subprocess, sys
from pathlib import Path
from penstock.tasks.job import NewJob
from penstock.tasks.store import Store
from tests.faults.rig import fill
disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
store = Store(str(disk / "jobs.db"))
accepted = store.submit([NewJob("g", "t", b"a")])
ballast = fill(disk)
refused = 0
for size in [100, 100_000] * 50:
    try:
        accepted += store.submit([NewJob("g", "t", b"a" * size)])
    except (sqlite3.OperationalError, OSError) as error:
        refused += 1
assert refused, "it was full"
ballast.unlink()
accepted += store.submit([NewJob("g", "t", b"a" * 100_000)])
store.close()
again = Store(str(disk / "jobs.db"))
assert sorted(job.id for job in again.jobs()) == sorted(accepted)
assert all(again.arguments(id) for id in accepted)
files = os.listdir(disk / "jobs" / "files")
assert files == [accepted[-1] + ".args"], files
print(refused, "refused")
"""


def _start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _whole(path: Path) -> None:
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def test_what_was_accepted_is_there_however_its_sender_dies(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    accepted: list[str] = []
    for lines in (1, 4, 9):
        child = _start(SUBMIT, path)
        assert child.stdout is not None
        accepted += [child.stdout.readline().strip() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        accepted += child.communicate()[0].split()
    _whole(path)
    store = Store(str(path))
    known = [job.id for job in store.jobs()]
    assert set(accepted) <= set(known)
    assert len(known) % 3 == 0, "three that were submitted together are there together, or none"
    assert all(len(store.arguments(id) or b"") == 100_000 for id in known)
    store.close()


def test_three_that_claim_at_once_have_each_job_once(tmp_path: Path) -> None:
    from penstock.tasks.job import NewJob

    path = tmp_path / "jobs.db"
    store = Store(str(path))
    ids = store.submit([NewJob("g", "t", b"a") for _ in range(300)])
    crew = [_start(CLAIM, path, name) for name in "abc"]
    for child in crew:
        assert child.stdout is not None and child.stdout.readline() == "here\n"
    said = []
    for child in crew:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in crew:
        said += child.communicate()[0].splitlines()
        assert child.returncode == 0
    assert Counter(said) == Counter(f"{id} 1" for id in ids)
    assert {job.state for job in store.jobs()} == {"done"}
    store.close()


@pytest.mark.usefixtures("namespace")
def test_a_full_disk_refuses_jobs_and_half_writes_none(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    command = [*NAMESPACE, sys.executable, "-c", FULL, str(tmp_path / "disk")]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout
