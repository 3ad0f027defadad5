"""Disks without room under jobs that a broker hands on: nothing is acknowledged that is not on disk, people
hear of it, and all goes on when there is room."""

from __future__ import annotations

import errno
import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from penstock.rabbitmq import topology
from penstock.rabbitmq.desk import RabbitDesk
from penstock.rabbitmq.url import parse
from tests.brokered import BrokerDesk, broker_desk
from tests.faults.rig import fill, mounting
from tests.jobs import Supervisor, children, until

pytestmark = [pytest.mark.fault, pytest.mark.usefixtures("namespace")]

APP = """\
from penstock import task


@task
def quick(number: int) -> int:
    with open("ran", "a") as file:
        file.write(f"{number}\\n")
    return number


@task
def talks(size: int) -> int:
    print("x" * size)
    return size


@task
def gives(size: int) -> str:
    return "x" * size
"""
SIZE = "2m,nr_inodes=200"


@pytest.fixture
def jobs(tmp_path: Path, broker: str) -> Iterator[BrokerDesk]:
    with broker_desk(tmp_path, APP, broker) as found:
        yield found


def _small_disk(directory: Path) -> list[str]:
    """Words before a command: it has a small disk there, of its own."""
    directory.mkdir(exist_ok=True, mode=0o700)
    return mounting({directory: SIZE})


@contextmanager
def _disk(process: Supervisor, directory: Path) -> Iterator[Path]:
    """That disk, as seen from here."""
    held = os.open(f"/proc/{process.process.pid}/root{directory}", os.O_PATH | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/self/fd/{held}")
    finally:
        os.close(held)


@contextmanager
def _no_more_files(disk: Path) -> Iterator[None]:
    """No file can be made there."""
    made = []
    with suppress(OSError):
        for number in itertools.count():
            made.append(disk / f"file {number}")
            made[-1].touch()
    yield
    for each in made[:-1]:
        each.unlink()


def test_a_hub_without_room_acknowledges_nothing_and_goes_on_when_there_is_some(jobs: BrokerDesk) -> None:
    jobs.hub.close()
    place = jobs.hub_directory / ".penstock"
    hub = jobs.start_hub(before=_small_disk(place))
    hub.until_said("keeps the store of jobs")
    jobs.work().until_said("ready")
    told = RabbitDesk(parse(jobs.broker), patience=60.0)
    with _disk(hub, place) as disk:
        ballast = fill(disk)
        ids = [jobs.submit("quick", number) for number in range(10)]
        ids += [jobs.submit("gives", 10, named={"more": "x" * 100_000}) for _ in range(2)]
        hub.until_said("the store of jobs cannot be written")
        assert not (jobs.directory / "ran").exists(), "nothing is begun that is not on disk"
        ballast.unlink()
        until(lambda: all(each.state in {"done", "dead"} for each in told.states(ids)), "all are over")
        assert [each.state for each in told.states(ids)].count("done") == 10
        assert sorted(map(int, jobs.until_noted("ran", 10))) == list(range(10))
        fill(disk)
        late = [jobs.submit("quick", 10 + number) for number in range(10)]
        until(lambda: hub.said.count("the store of jobs cannot be written") == 2, f"it says so: {hub.said}")
    told.close()
    hub.close()
    until(lambda: jobs.depth(topology.SUBMITTED) == 10, "none of them was acknowledged")
    jobs.keep()  # on the disk below, which has room, and knows of none of them
    assert [jobs.result(id) for id in late] == list(range(10, 20))


def test_a_supervisor_without_room_says_why_its_jobs_fail_and_they_are_done_when_there_is_some(
    jobs: BrokerDesk,
) -> None:
    place = jobs.directory / ".penstock"
    worker = jobs.work(before=_small_disk(place))
    assert jobs.result(jobs.submit("quick", 1)) == 1
    with _disk(worker, place) as disk:
        ballast = fill(disk)
        with _no_more_files(disk):
            (child,) = children(worker.process.pid)
            os.kill(child, signal.SIGKILL)
            assert jobs.result(jobs.submit("quick", 2)) == 2, "by another worker, that has no log at all"
        large = jobs.submit("gives", 200_000, max_failures=1000, longest=0.2)
        loud = jobs.submit("talks", 200_000, max_failures=1000, longest=0.2)
        for id in (large, loud):
            until(lambda id=id: len(jobs.attempts(id)) > 1, f"it is tried again: {jobs.everybody}")  # type: ignore[misc]
        ballast.unlink()
        assert jobs.result(large) == "x" * 200_000
        assert jobs.result(loud) == 200_000
    assert jobs.attempts(loud)[-1].tail == "x" * 65_535 + "\n"
    failed = [each for id in (large, loud) for each in jobs.attempts(id)[:-1]]
    assert {each.cause for each in failed} == {"error"}
    assert all(os.strerror(errno.ENOSPC) in each.error for each in failed)
    assert worker.process.poll() is None
