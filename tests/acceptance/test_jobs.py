"""Jobs that `penstock worker` runs: from the store to their result, as their users meet it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import WorkerPython
from tests.jobs import Desk, desk, until

APP = """\
import asyncio, os, subprocess, sys, time
from penstock import JobContext, Reject, Retry, task


def note(name, text):
    with open(name, "a") as file:
        file.write(f"{text}\\n")


@task
def add(a: int, b: int) -> int:
    return a + b


@task
async def later(text: str) -> str:
    await asyncio.sleep(0.001)
    return text


@task
class Model:
    def setup(self) -> None:
        note("setups", os.getpid())

    def __call__(self, item: int) -> list:
        return [item, os.getpid()]


@task
def pid() -> int:
    return os.getpid()


@task
def devices() -> str:
    time.sleep(0.05)
    return os.environ["CUDA_VISIBLE_DEVICES"]


@task
def hoards(size: int) -> int:
    global hoard
    hoard = bytearray(size)
    return os.getpid()


@task
def version() -> list:
    return list(sys.version_info[:2])


@task
def wrong(text: str) -> None:
    raise ValueError(text)


@task
def wayward(ctx: JobContext) -> int:
    note("attempts", ctx.attempt)
    if ctx.attempt < 3:
        raise Retry(after="10ms")
    return ctx.attempt


@task
def refused() -> None:
    raise Reject("not my kind")


@task
def quits() -> None:
    sys.exit(3)


@task
def odd() -> object:
    return object()


@task
def prints(ctx: JobContext) -> None:
    print("from Python")
    ctx.log.info("logged")
    subprocess.run(["echo", "from a child"])
    os.write(2, b"from below\\n")


@task
def large(size: int) -> bytes:
    return b"x" * size


@task
def writes(ctx: JobContext) -> str:
    with open(os.path.join(ctx.out_dir, "model.bin"), "w") as file:
        file.write(str(ctx.attempt))
    if ctx.attempt == 1:
        raise OSError("not yet")
    return os.path.basename(ctx.out_dir)


@task
def resumes(ctx: JobContext) -> list:
    if ctx.resume is None:
        ctx.checkpoint("here/7.ckpt", 7)
        raise OSError("after a checkpoint")
    return [ctx.resume.uri, ctx.resume.step, ctx.fence]


@task
def tells(ctx: JobContext) -> None:
    ctx.progress(0.25, loss=1.5)
    note("told", os.getpid())
    while not os.path.exists("gate"):
        time.sleep(0.005)


@task(group="other")
def elsewhere() -> str:
    return "other"
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path, APP) as found:
        yield found


def test_what_was_submitted_before_and_after_the_start_is_run(jobs: Desk) -> None:
    before = jobs.submit("add", 1, 2)
    supervisor = jobs.work()
    assert jobs.result(before) == 3
    assert jobs.result(jobs.submit("add", 3, named={"b": 4})) == 7
    supervisor.signal()
    assert "2 done" in supervisor.end()


def test_async_code_and_classes_are_tasks_too_and_a_class_is_made_once_per_worker(jobs: Desk) -> None:
    jobs.work()
    assert jobs.result(jobs.submit("later", "now")) == "now"
    first, second = (jobs.result(jobs.submit("Model", number)) for number in (1, 2))
    assert (first[0], second[0]) == (1, 2)
    assert first[1] == second[1]
    assert jobs.until_noted("setups") == [str(first[1])]


def test_what_raises_is_tried_again_and_then_dead_with_the_user_s_frames(jobs: Desk) -> None:
    jobs.work()
    row = jobs.until(jobs.submit("wrong", "no way", max_failures=2), "dead")
    assert (row.failures, row.cause) == (3, "ValueError: no way")
    attempts = jobs.attempts(row.id)
    assert [each.cause for each in attempts] == ["error"] * 3
    assert "raise ValueError(text)" in attempts[0].traceback
    assert "penstock/" not in attempts[0].traceback


def test_code_may_ask_for_another_attempt_or_refuse_all_further_ones(jobs: Desk) -> None:
    jobs.work()
    assert jobs.result(jobs.submit("wayward", backoff=60.0)) == 3
    row = jobs.until(jobs.submit("refused"), "dead")
    assert (row.failures, row.cause) == (1, "not my kind")
    assert jobs.attempts(row.id)[0].cause == "rejected"


def test_what_is_to_be_tried_again_is_said_by_exception_and_cause(jobs: Desk) -> None:
    jobs.work()
    row = jobs.until(jobs.submit("wrong", "no way", retry_on=["OSError", "crash"]), "dead")
    assert row.failures == 1


@pytest.mark.parametrize(
    ("task", "cause", "error"),
    [
        ("nowhere", "unusable", "there is no task 'nowhere'"),
        ("quits", "error", "SystemExit: 3"),
        ("odd", "unusable", "object"),
        ("add", "unusable", "its arguments do not fit"),
    ],
)
def test_what_cannot_be_run_says_why(jobs: Desk, task: str, cause: str, error: str) -> None:
    jobs.work()
    row = jobs.until(jobs.submit(task, max_failures=0), "dead")
    (attempt,) = jobs.attempts(row.id)
    assert attempt.cause == cause
    assert error in attempt.error


def test_each_attempt_has_a_log_of_its_own_and_its_end_is_in_the_store(jobs: Desk) -> None:
    jobs.work()
    row = jobs.until(jobs.submit("prints"), "done")
    (attempt,) = jobs.attempts(row.id)
    for part in ("from Python", "logged", "from a child", "from below"):
        assert part in attempt.tail
    assert Path(attempt.log).read_text() == attempt.tail
    silent = jobs.until(jobs.submit("add", 1, 1), "done")
    assert jobs.attempts(silent.id)[0].log == ""


def test_a_large_result_comes_back_whole(jobs: Desk) -> None:
    jobs.work()
    assert jobs.result(jobs.submit("large", 3_000_000)) == b"x" * 3_000_000


def test_what_an_attempt_writes_is_published_when_the_job_is_done_and_else_removed(jobs: Desk) -> None:
    supervisor = jobs.work()
    id = jobs.submit("writes")
    assert jobs.result(id) == f".{id}.2"
    supervisor.signal()
    supervisor.end()
    assert sorted(path.name for path in (jobs.jobs / "out").iterdir()) == [id]
    assert (jobs.jobs / "out" / id / "model.bin").read_text() == "2"


def test_the_next_attempt_goes_on_where_the_last_has_saved(jobs: Desk) -> None:
    jobs.work()
    assert jobs.result(jobs.submit("resumes")) == ["here/7.ckpt", 7, 2]


def test_how_far_a_job_is_can_be_seen_while_it_runs(jobs: Desk) -> None:
    jobs.work()
    id = jobs.submit("tells")
    jobs.until_noted("told")
    assert until(lambda: jobs.row(id).progress, "it has told") == 0.25
    assert jobs.row(id).numbers == {"loss": 1.5}
    shown = subprocess.run(
        [sys.executable, "-m", "penstock", "ps"], capture_output=True, text=True, check=True
    ).stdout
    assert "25%" in shown.replace(" ", "")
    assert "LINK" not in shown
    (jobs.directory / "gate").touch()
    assert jobs.until(id, "done").progress == 1.0


def test_a_worker_runs_only_the_groups_it_is_asked_for(jobs: Desk) -> None:
    supervisor = jobs.work("--group", "other")
    mine, others = jobs.submit("elsewhere", group="other"), jobs.submit("add", 1, 1)
    assert jobs.result(mine) == "other"
    supervisor.signal()
    supervisor.end()
    assert jobs.row(others).state == "ready"


def test_a_group_that_is_not_there_is_refused_with_the_nearest(jobs: Desk) -> None:
    said = jobs.work("--group", "othr").end(4)
    assert "did you mean 'other'?" in said


def test_the_higher_priority_comes_first(jobs: Desk) -> None:
    low, high = jobs.submit("pid"), jobs.submit("pid", priority=1)
    jobs.work()
    jobs.until(low, "done")
    started = jobs.row(high).started_at, jobs.row(low).started_at
    assert started[0] is not None
    assert started[1] is not None
    assert started[0] <= started[1]


def test_an_isolated_job_has_a_process_that_nobody_had_before(jobs: Desk) -> None:
    jobs.work()
    plain = jobs.result(jobs.submit("pid"))
    alone = [jobs.result(jobs.submit("pid", isolate=True)) for _ in range(2)]
    after = jobs.result(jobs.submit("pid"))
    assert len({plain, *alone, after}) == 4


def test_a_command_line_is_a_job_and_its_exit_code_decides(jobs: Desk) -> None:
    jobs.work("--group", "scripts", app="")

    def run(code: int, **rules: float) -> str:
        line = ["sh", "-c", f"echo said; exit {code}"]
        named = {"cwd": str(jobs.directory)}
        return jobs.submit("!script", *line, named=named, group="scripts", **rules)

    done = jobs.until(run(0), "done")
    assert jobs.attempts(done.id)[0].tail == "said\n"
    failed = jobs.until(run(3, max_failures=1), "dead")
    assert (failed.failures, failed.cause) == (2, "exit code 3: said")
    assert jobs.attempts(failed.id)[0].traceback == "said"
    assert jobs.until(run(78), "dead").failures == 1
    assert jobs.until(run(75, max_failures=1), "dead").failures == 2


def test_a_command_line_that_is_not_there_fails_as_one_that_ends_badly(jobs: Desk) -> None:
    jobs.work("--group", "scripts", app="")
    row = jobs.until(jobs.submit("!script", "no-such", group="scripts", max_failures=0), "dead")
    assert "no-such" in row.cause


def test_ctrl_c_waits_for_what_runs_and_begins_nothing_more(jobs: Desk) -> None:
    supervisor = jobs.work()
    running = jobs.submit("tells")
    jobs.until_noted("told")
    waiting = jobs.submit("add", 1, 1)
    supervisor.signal()
    supervisor.until_said("draining")
    (jobs.directory / "gate").touch()
    supervisor.end()
    assert (jobs.row(running).state, jobs.row(waiting).state) == ("done", "ready")


def test_a_second_ctrl_c_gives_back_what_runs_and_that_is_no_failure(jobs: Desk) -> None:
    supervisor = jobs.work()
    id = jobs.submit("tells")
    jobs.until_noted("told")
    supervisor.signal()
    supervisor.until_said("draining")
    supervisor.signal(signal.SIGINT)
    supervisor.end(130)
    row = jobs.row(id)
    assert (row.state, row.failures, row.preemptions) == ("ready", 0, 1)
    assert jobs.attempts(id)[0].outcome == "returned"


def test_an_app_whose_setup_fails_is_given_up_and_no_job_is_spent(jobs: Desk) -> None:
    (jobs.directory / "app.py").write_text(
        APP + "\n\n@task\nclass Broken:\n    def setup(self):\n"
        "        raise OSError('no model')\n\n    def __call__(self):\n"
        "        pass\n"
    )
    id = jobs.submit("add", 1, 1)
    said = jobs.work().end(1)
    assert "no model" in said
    assert (jobs.row(id).state, jobs.row(id).fence) == ("ready", 0)


def test_each_worker_sees_its_part_of_the_gpus_of_the_group(jobs: Desk) -> None:
    jobs.work_as({"default": {"replicas": 2, "devices": ["0", "1", "2", "3"]}}).until_said("ready")
    ids = [jobs.submit("devices", gpus=2) for _ in range(8)]
    assert {jobs.result(id) for id in ids} == {"0,1", "2,3"}


def test_a_job_that_needs_more_gpus_than_a_worker_has_waits_and_holds_up_nobody(jobs: Desk) -> None:
    jobs.work_as({"default": {"devices": ["0"]}})
    large, small = jobs.submit("devices", gpus=2), jobs.submit("devices", gpus=1)
    assert jobs.result(small) == "0"
    assert jobs.row(large).state == "ready"


def test_a_worker_that_has_run_enough_jobs_is_replaced_and_none_is_lost(jobs: Desk) -> None:
    jobs.work_as({"default": {"max_jobs": 3}})
    ids = [jobs.submit("pid") for _ in range(12)]
    pids = [jobs.result(id) for id in ids]
    assert len(set(pids)) == 4
    assert all(jobs.row(id).failures == 0 for id in ids)


def test_a_worker_that_has_grown_too_large_is_replaced(jobs: Desk) -> None:
    jobs.work_as({"default": {"max_rss": 256 * 2**20}})
    small = [jobs.result(jobs.submit("hoards", 1)) for _ in range(2)]
    large = jobs.result(jobs.submit("hoards", 300 * 2**20))
    assert {*small, large} == {small[0]}
    assert jobs.result(jobs.submit("hoards", 1)) != large


@pytest.mark.parametrize("python", ["3.9", "3.13"])
def test_a_group_runs_under_a_python_of_its_own(jobs: Desk, python: str, worker_python: WorkerPython) -> None:
    jobs.work_as({"default": {"interpreter": worker_python(python)}})
    assert jobs.result(jobs.submit("version")) == [int(part) for part in python.split(".")]
    assert jobs.result(jobs.submit("later", "x")) == "x"


BESIDE = """
from penstock import Pipeline, sink, source, task

@task(group="adding")
def add(left: int, right: int) -> int:
    return left + right

@source
def numbers():
    yield from range(3)

@sink
def total(number: int):
    job = add.submit(number, 1)
    assert job.result("60s") == number + 1

pipeline = Pipeline("beside", numbers >> total)
"""


def test_the_groups_of_an_app_run_beside_its_pipeline_and_end_with_it(tmp_path: Path) -> None:
    with desk(tmp_path, BESIDE) as jobs:
        run = jobs.run("--jobs")
        said = run.end()
        assert "adding    1/1 ready" in said
        assert "3 done   0 failed   0 dead" in said
        assert "3 in, 3 out, 0 lost, 0 dead" in said
        assert [row.state for row in jobs.store.jobs()] == ["done"] * 3


RELOADED = """\
import os, time
import edition
from penstock import Pipeline, sink, source, task

def gate(name):
    while not os.path.exists(name):
        time.sleep(0.005)

@task
def told(name: str) -> int:
    open("begun", "a").write(f"{name}\\n")
    gate(name)
    return edition.NUMBER

@source
def waits():
    gate("end")
    yield 1

@sink
def drop(number: int): ...

pipeline = Pipeline("reloaded", waits >> drop)
"""


def test_an_edit_has_a_running_job_finished_by_the_old_code_and_the_next_one_done_by_the_new(
    tmp_path: Path,
) -> None:
    def edit(number: int) -> None:
        (tmp_path / "draft").write_text(f"NUMBER = {number}\n")
        (tmp_path / "draft").replace(tmp_path / "edition.py")

    edit(1)
    with desk(tmp_path, RELOADED) as jobs:
        run = jobs.run("--jobs", "--reload")
        first = jobs.submit("told", "first")
        jobs.until_noted("begun")
        for stage in ("waits", "drop "):
            run.until_said(f"{stage}     1/1 ready")
        edit(2)
        run.until_said("drop/0 was restarted")  # nobody but its own group waits for the job
        second = jobs.submit("told", "second")
        jobs.until_noted("begun", 2)
        for name in ("second", "first", "end"):
            (tmp_path / name).touch()
        assert (jobs.result(first), jobs.result(second)) == (1, 2)
        assert [row.fence for row in jobs.store.jobs()] == [1, 1]
        run.end()
