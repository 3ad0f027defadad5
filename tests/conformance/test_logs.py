"""What a job prints is seen while it prints it, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.tasks.connect import remote
from penstock.tasks.desk import Desk as Asked
from penstock.tasks.handle import Job
from penstock.tasks.home import Home
from penstock.tasks.local import LocalDesk
from tests.brokered import BrokerDesk
from tests.jobs import Desk

APP = """\
import os, time
from penstock import JobContext, task


@task
def talks(ctx: JobContext) -> None:
    print("attempt", ctx.attempt)
    while not os.path.exists(f"gate.{ctx.attempt}"):
        time.sleep(0.005)
    print("the end, \u00e4\u00f6\u00fc")
    if ctx.attempt == 1:
        raise ValueError("again")
"""


def _asked(jobs: Desk) -> Asked:
    return remote(jobs.broker) if isinstance(jobs, BrokerDesk) else LocalDesk(Home(jobs.store.path))


def _until(part: str, texts: Iterator[str]) -> str:
    """Read on until that is printed; all that was read."""
    seen = ""
    while part not in seen:
        seen += next(texts)
    return seen


def test_lines_are_seen_while_the_job_runs_and_none_twice(jobs: Desk) -> None:
    asked = _asked(jobs)
    id = jobs.submit("talks")
    worker = jobs.work()
    texts = Job[None](id, asked).follow()
    assert _until("attempt 1\n", texts) == "attempt 1\n"
    assert asked.logs(id) == "attempt 1\n", "also by who looks once"
    (jobs.directory / "gate.1").touch()
    assert _until("attempt 2\n", texts) == "the end, \u00e4\u00f6\u00fc\nattempt 2\n"
    (jobs.directory / "gate.2").touch()
    assert "".join(texts) == "the end, \u00e4\u00f6\u00fc\n"
    assert "".join(Job[None](id, asked).follow(2)) == "attempt 2\nthe end, \u00e4\u00f6\u00fc\n"
    worker.signal()
    worker.end()
    assert "".join(Job[None](id, asked).follow(2)) == "attempt 2\nthe end, \u00e4\u00f6\u00fc\n"
    asked.close()
