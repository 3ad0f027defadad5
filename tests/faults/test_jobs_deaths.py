"""Workers and supervisors that die with jobs in hand, and jobs that are ended: nothing is lost or done twice
over, and the blame lies where it belongs."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.tasks import alive
from tests.faults.rig import belonging
from tests.jobs import Desk, desk, until

pytestmark = pytest.mark.fault

APP = """\
import asyncio, os, signal, subprocess, sys, time
from penstock import JobContext, task


def note(name, text):
    with open(name, "a") as file:
        file.write(f"{text}\\n")


def gate():
    while not os.path.exists("gate"):
        time.sleep(0.005)


@task
def waits(ctx: JobContext) -> int:
    note("begun", os.getpid())
    gate()
    return ctx.attempt


@task
def dies(ctx: JobContext) -> int:
    if ctx.attempt < 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    return ctx.attempt


@task
def poison() -> None:
    os._exit(7)


@task
def quick(number: int) -> int:
    note("ran", number)
    return number


@task
def family() -> None:
    child = subprocess.Popen(["sleep", "600"])
    note("begun", child.pid)
    child.wait()


@task
def stubborn(ctx: JobContext) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("begun", os.getpid())
    gate()


@task
def cleans() -> None:
    note("begun", os.getpid())
    try:
        gate()
    finally:
        note("cleaned", "yes")


@task
def looks(ctx: JobContext) -> None:
    ctx.cancelled
    note("begun", os.getpid())
    while not ctx.cancelled:
        time.sleep(0.005)
    note("cleaned", "by itself")


@task
async def waiting() -> None:
    note("begun", os.getpid())
    try:
        await asyncio.sleep(600)
    finally:
        note("cleaned", "async")


@task(max_failures=1000)
def steady(number: int) -> int:
    note("ran", number)
    time.sleep(0.02)
    return number


@task
def deaf() -> None:
    note("begun", os.getpid())
    while True:
        sum(range(10**8))
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path, APP) as found:
        yield found


def _open(jobs: Desk) -> None:
    (jobs.directory / "gate").touch()


def _is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


# A worker dies -------------------------------------------------------------------------------------------


def test_a_killed_worker_costs_its_job_one_failure_and_another_runs_it(jobs: Desk) -> None:
    jobs.work()
    id = jobs.submit("waits")
    (pid,) = jobs.until_noted("begun")
    os.kill(int(pid), signal.SIGKILL)
    _, other = jobs.until_noted("begun", 2)
    assert other != pid
    _open(jobs)
    assert jobs.result(id) == 2
    first, second = jobs.attempts(id)
    assert (first.cause, first.error, first.pid) == ("crash", "killed (SIGKILL)", int(pid))
    assert (second.outcome, jobs.row(id).failures) == ("done", 1)


def test_a_crash_says_where_in_the_user_s_code_it_was(jobs: Desk) -> None:
    jobs.work()
    id = jobs.submit("dies")
    assert jobs.result(id) == 2
    attempt = jobs.attempts(id)[0]
    assert (attempt.cause, attempt.error) == ("crash", "killed (SIGSEGV)")
    assert "app.py" in attempt.tail


def test_a_job_that_kills_every_worker_is_dead_in_the_end_and_the_group_goes_on(jobs: Desk) -> None:
    supervisor = jobs.work()
    row = jobs.until(jobs.submit("poison", max_failures=2), "dead")
    assert (row.failures, row.cause) == (3, "exit code 7")
    assert jobs.result(jobs.submit("quick", 1)) == 1
    supervisor.signal()
    supervisor.end()


def test_what_was_handed_ahead_and_not_begun_has_not_failed(jobs: Desk) -> None:
    jobs.work()
    for number in range(40):  # so that they are known to be short
        jobs.submit("quick", number)
    poison = jobs.submit("poison", max_failures=0)
    more = [jobs.submit("quick", 100 + number) for number in range(40)]
    jobs.until(poison, "dead")
    for id in more:
        assert jobs.until(id, "done").failures == 0
    ran = jobs.until_noted("ran", 80)
    assert len(ran) == len(set(ran)) == 80


# The supervisor dies -------------------------------------------------------------------------------------


def test_the_next_supervisor_gives_back_what_a_killed_one_had(jobs: Desk) -> None:
    first = jobs.work()
    id = jobs.submit("waits")
    (pid,) = jobs.until_noted("begun")
    first.signal(signal.SIGKILL)
    until(lambda: _is_gone(int(pid)), "its worker dies with it")
    jobs.work()
    jobs.until_noted("begun", 2)
    _open(jobs)
    assert jobs.result(id) == 2
    assert jobs.attempts(id)[0].error == alive.CAUSE


def test_a_neighbour_sees_it_at_once_and_no_child_of_the_dead_one_is_left(jobs: Desk) -> None:
    first = jobs.work()
    id = jobs.submit("family")
    (child,) = jobs.until_noted("begun")
    second = jobs.work()
    second.until_said("ready")
    killed = time.monotonic()
    first.signal(signal.SIGKILL)
    _, other = jobs.until_noted("begun", 2)
    assert time.monotonic() - killed < 30.0
    assert _is_gone(int(child))
    jobs.cancel(id)
    jobs.until(id, "cancelled")
    assert _is_gone(int(other))


def test_two_supervisors_share_the_jobs_and_none_is_run_twice(jobs: Desk) -> None:
    ids = [jobs.submit("quick", number) for number in range(100)]
    for supervisor in (jobs.work("--workers", "2"), jobs.work("--workers", "2")):
        supervisor.until_said("ready")
    for id in ids:
        assert jobs.until(id, "done").failures == 0
    ran = jobs.until_noted("ran", 100)
    assert sorted(map(int, ran)) == list(range(100))


# A job is ended ------------------------------------------------------------------------------------------


def test_a_cancelled_job_is_cancelled_when_all_its_processes_are_gone(jobs: Desk) -> None:
    jobs.work()
    id = jobs.submit("family")
    (child,) = jobs.until_noted("begun")
    assert jobs.cancel(id) == "running"
    row = jobs.until(id, "cancelled")
    assert _is_gone(int(child))
    assert row.failures == 0
    assert jobs.result(jobs.submit("quick", 1)) == 1


def test_code_is_told_before_it_is_killed_and_may_clean_up(jobs: Desk) -> None:
    jobs.work()
    id = jobs.submit("cleans")
    jobs.until_noted("begun")
    jobs.cancel(id)
    jobs.until(id, "cancelled")
    assert jobs.until_noted("cleaned") == ["yes"]


def test_code_that_asks_whether_it_is_cancelled_ends_by_itself(jobs: Desk) -> None:
    jobs.work()
    id = jobs.submit("looks")
    jobs.until_noted("begun")
    jobs.cancel(id)
    jobs.until(id, "cancelled")
    assert jobs.until_noted("cleaned") == ["by itself"]


def test_async_code_is_cancelled_as_asyncio_does_that_and_the_group_goes_on(jobs: Desk) -> None:
    jobs.work()
    id = jobs.submit("waiting")
    jobs.until_noted("begun")
    jobs.cancel(id)
    jobs.until(id, "cancelled")
    assert jobs.until_noted("cleaned") == ["async"]
    assert jobs.result(jobs.submit("quick", 1)) == 1


@pytest.mark.parametrize("task", ["stubborn", "deaf"])
def test_code_that_does_not_listen_is_killed_after_the_grace(jobs: Desk, task: str) -> None:
    jobs.work()
    id = jobs.submit(task, grace=0.2)
    (pid,) = jobs.until_noted("begun")
    jobs.cancel(id)
    jobs.until(id, "cancelled")
    assert _is_gone(int(pid))


def test_a_job_that_waits_is_cancelled_at_once_and_never_begun(jobs: Desk) -> None:
    id = jobs.submit("quick", 1)
    assert jobs.cancel(id) == "cancelled"
    jobs.work()
    assert jobs.result(jobs.submit("quick", 2)) == 2
    assert jobs.until_noted("ran") == ["2"]
    assert jobs.row(id).fence == 0


def test_a_job_that_takes_too_long_has_failed_and_its_processes_are_gone(jobs: Desk) -> None:
    jobs.work()
    id = jobs.submit("family", timeout=0.3, max_failures=1)
    row = jobs.until(id, "dead")
    children = jobs.until_noted("begun", 2)
    assert (row.failures, row.cause) == (2, "timed out after 0.3 s")
    assert all(_is_gone(int(child)) for child in children)
    assert [each.cause for each in jobs.attempts(id)] == ["timeout", "timeout"]


def test_a_supervisor_leaves_nothing_behind(jobs: Desk) -> None:
    supervisor = jobs.work()
    jobs.submit("family")
    jobs.until_noted("begun")
    supervisor.signal()
    supervisor.until_said("draining")
    supervisor.signal()
    supervisor.end(130)
    assert not belonging(os.environ["PENSTOCK_RUN_DIR"])
    assert not list((jobs.jobs / "locks").iterdir())
    assert not list((jobs.jobs / "bells").iterdir())


# Everything at once --------------------------------------------------------------------------------------


@pytest.mark.timeout(600)
def test_whoever_is_killed_each_job_has_one_result_and_none_is_lost(jobs: Desk, long_form: bool) -> None:
    count = 5000 if long_form else 160
    chance = random.Random(7)
    ids = [jobs.submit("steady", number, max_failures=1000) for number in range(count)]
    supervisors = [jobs.work("--workers", "2") for _ in range(2)]
    kills = 0
    while _done(jobs) < count:
        place = chance.randrange(2)
        if chance.random() < 0.3:
            supervisors[place].signal(signal.SIGKILL)
            supervisors[place].process.wait()
            supervisors[place] = jobs.work("--workers", "2")
        else:
            kills += _kill_a_worker(jobs, chance)
        _until_done(jobs, min(count, _done(jobs) + max(count // 40, 10)))
    assert [jobs.result(id) for id in ids] == list(range(count))
    ran = jobs.until_noted("ran", count)
    assert set(map(int, ran)) == set(range(count))
    print(f"{kills} workers killed; {len(ran) - count} jobs begun again")
    for each in supervisors:
        each.until_said("ready")
        each.signal()
    for each in supervisors:
        each.end()


def _done(jobs: Desk) -> int:
    return jobs.store.depths()["default"].get("done", 0)


def _until_done(jobs: Desk, count: int) -> None:
    until(lambda: _done(jobs) >= count, f"{count} are done: {jobs.store.depths()}")


def _kill_a_worker(jobs: Desk, chance: random.Random) -> int:
    """One of those that have a job; how many."""
    pids = [pid for pid in belonging(os.environ["PENSTOCK_RUN_DIR"]) if _is_worker(pid)]
    if not pids:
        return 0
    try:
        os.kill(chance.choice(pids), signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def _is_worker(pid: int) -> bool:
    try:
        return b"boot.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
