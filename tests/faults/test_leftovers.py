"""Whichever process is killed, whenever: no process, socket or shared memory is left, and no item is lost."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.faults.rig import GOODBYE, Rig, Run, Worker, belonging, until

pytestmark = pytest.mark.fault

ITEMS = 400


def half_way(rig: Rig) -> Run:
    """A run that has done half of its work and waits for more."""
    run = rig.start("household", ITEMS=ITEMS)
    run.until_whole()
    run.open("frames", ITEMS // 2)
    run.until(lambda: run.noted("keep") >= ITEMS // 2, "half of the arrays have come")
    return run


def files_of(run: Run, worker: Worker) -> list[str]:
    """What lies in the run directory for this worker."""
    return [path.name for path in Path(run.contact.path).iterdir() if path.stem == str(worker.number)]


def group_of(leader: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == leader and not is_zombie(entry.name):
                found.append(int(entry.name))
        except (ProcessLookupError, FileNotFoundError):
            pass  # it has ended meanwhile
    return found


def is_zombie(pid: str) -> bool:
    """Whether it has ended, and its parent has not asked how."""
    return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0] == "Z"


def memory_of(pid: int) -> set[str]:
    """The files below /dev/shm that a process has mapped or open."""
    found = set(Path(f"/proc/{pid}/maps").read_text("utf-8").split())
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(entry.path))
    return {path for path in found if path.startswith("/dev/shm/")}


def test_a_killed_worker_of_any_kind_leaves_nothing_and_loses_nothing(rig: Rig) -> None:
    run = half_way(rig)
    for worker in run.workers():
        outside = {path for path in memory_of(worker.pid) if not path.startswith(run.contact.path)}
        assert not outside, f"{worker.label} uses {outside}"
    for stage in ("frames", "House", "Keep"):
        victim = run.workers(stage)[0]
        assert len(files_of(run, victim)) >= 2
        run.kill(victim)
        run.until(lambda gone=victim: not files_of(run, gone), f"the files of {victim.label} are gone")  # type: ignore[misc]
        run.until(lambda gone=victim: not group_of(gone.pid), "its process group is gone")  # type: ignore[misc]
        run.until_whole()
    run.open("frames")
    account = run.end()
    assert set(run.tape("keep")) == set(range(ITEMS))
    assert account["totals"]["dead"] == 0
    until(lambda: not rig.remains(), "nothing is left", within=GOODBYE)


@pytest.mark.parametrize("when", ["starting", pytest.param("working", marks=pytest.mark.long), "draining"])
def test_of_a_killed_supervisor_no_worker_is_left_and_the_rest_is_swept(rig: Rig, when: str) -> None:
    run = rig.start("household", ITEMS=ITEMS) if when == "starting" else half_way(rig)
    directory = Path(run.contact.path)
    if when == "starting":
        run.until(lambda: belonging(str(directory)), "it has a process")
    if when == "draining":
        run.open("frames", ITEMS - 1)
        run.signal(signal.SIGINT)
        run.until_said("draining")
    run.process.kill()
    run.process.wait()
    until(lambda: not workers_of(directory), "no worker is left", within=GOODBYE)
    assert directory.exists(), "for the next start to find"

    run.open("frames")
    second = rig.start("household", ITEMS=ITEMS)
    second.end()
    assert not directory.exists()
    assert second.lines(f"took away what {directory.name} had left")
    assert set(run.tape("keep")) == set(range(ITEMS))
    until(lambda: not rig.remains(), f"nothing is left: {rig.remains()}", within=GOODBYE)


def test_a_start_leaves_those_alone_that_live(rig: Rig) -> None:
    first = half_way(rig)
    family = {worker.pid for worker in first.workers()}
    stuck = rig.start("stuck", PENSTOCK_STATE_DIR=rig.desk / "other")
    stuck.state = rig.desk / "other"
    stuck.end(code=1)
    assert {worker.pid for worker in first.workers()} == family
    first.open("frames")
    first.end()
    assert set(first.tape("keep")) == set(range(ITEMS))


def workers_of(directory: Path) -> list[int]:
    """The processes of a run that the supervisor itself has started."""
    return [pid for pid in belonging(str(directory)) if "runtime/boot.py" in command_of(pid)]


def command_of(pid: int) -> str:
    """How it was started."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
