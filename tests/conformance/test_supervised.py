"""The same promises, kept by real supervisors, whatever jobs go over: a file, or a broker."""

from __future__ import annotations

import os
import time

from tests.jobs import Desk, until

APP = """\
import os, time
from penstock import JobContext, Reject, Retry, task


def note(name, text):
    with open(name, "a") as file:
        file.write(f"{text}\\n")


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def stumbles(ctx: JobContext, times: int) -> int:
    if ctx.attempt <= times:
        raise ValueError("again")
    return ctx.attempt


@task
def asks_again(ctx: JobContext) -> int:
    if ctx.attempt == 1:
        raise Retry(after="20ms")
    return ctx.attempt


@task
def refuses() -> None:
    raise Reject("never")


@task
def poison() -> None:
    os._exit(7)


@task
def quick(number: int) -> int:
    note("ran", number)
    return number


@task
def waits() -> None:
    note("begun", os.getpid())
    while True:
        time.sleep(0.01)
"""


def test_what_a_job_comes_to_is_the_same_whatever_it_went_over(jobs: Desk) -> None:
    jobs.work("--workers", "2")
    added = jobs.submit("add", 1, 2)
    stumbling = jobs.submit("stumbles", 2, max_failures=3)
    asking = jobs.submit("asks_again")
    refused = jobs.submit("refuses")
    poisoned = jobs.submit("poison", max_failures=1)
    unknown = jobs.submit("nowhere")
    wrong = jobs.submit("add", 1)
    assert (jobs.result(added), jobs.result(stumbling), jobs.result(asking)) == (3, 3, 2)
    assert jobs.row(stumbling).failures == 2
    assert [jobs.until(id, "dead").failures for id in (refused, poisoned, unknown, wrong)] == [1, 2, 1, 1]
    assert [each.cause for each in jobs.attempts(poisoned)] == ["crash", "crash"]
    assert jobs.attempts(refused)[0].cause == "rejected"
    assert jobs.attempts(unknown)[0].cause == jobs.attempts(wrong)[0].cause == "unusable"


def test_two_supervisors_race_for_jobs_and_each_is_done_once(jobs: Desk) -> None:
    ids = [jobs.submit("quick", number) for number in range(40)]
    for _ in range(2):
        jobs.work("--workers", "2")
    until(lambda: jobs.store.depths().get("default", {}).get("done") == 40, "all are done")
    assert sorted(map(int, jobs.until_noted("ran", 40))) == list(range(40))
    assert [jobs.result(id) for id in ids] == list(range(40))


def test_a_live_key_is_run_once_and_a_delay_is_kept(jobs: Desk) -> None:
    due = round(time.time() * 1000) + 500
    later = jobs.submit("quick", 1, run_at=due)
    first = jobs.submit("quick", 2, unique="k")
    jobs.row(first)
    jobs.submit("quick", 3, unique="k")
    jobs.work()
    assert (jobs.result(first), jobs.result(later)) == (2, 1)
    started = jobs.row(later).started_at
    assert started is not None
    assert started >= due
    assert sorted(jobs.until_noted("ran", 2)) == ["1", "2"]


def test_it_is_cancelled_in_every_state_and_never_begun_again(jobs: Desk) -> None:
    waiting = jobs.submit("quick", 1)
    later = jobs.submit("quick", 2, run_at=round(time.time() * 1000) + 1000)
    for id in (waiting, later):
        jobs.row(id)
        assert jobs.cancel(id) == "cancelled"
    jobs.work()
    running = jobs.submit("waits")
    (pid,) = jobs.until_noted("begun")
    jobs.cancel(running)
    jobs.until(running, "cancelled")
    until(lambda: not os.path.exists(f"/proc/{pid}"), "its process is gone")
    done = jobs.submit("quick", 3, run_at=round(time.time() * 1000) + 1000)
    assert jobs.result(done) == 3
    assert jobs.cancel(done) == "done"
    assert jobs.until_noted("ran") == ["3"]


def test_a_group_whose_jobs_kill_every_worker_pauses_says_so_and_goes_on_when_told(jobs: Desk) -> None:
    supervisor = jobs.work()
    ids = [jobs.submit("poison", backoff=60.0) for _ in range(7)]
    supervisor.until_said("default is paused: 5 different jobs in a row have killed their workers")
    why = until(lambda: jobs.store.groups()["default"], "the group is paused")
    assert why == "5 different jobs in a row have killed their workers"
    assert sum(jobs.row(id).fence > 0 for id in ids) < 7
    for id in ids:
        jobs.cancel(id)
    waiting = jobs.submit("quick", 1)
    assert jobs.row(waiting).state == "ready"
    jobs.resume("default")
    assert jobs.result(waiting) == 1
