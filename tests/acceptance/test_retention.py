"""Who runs jobs forgets in passing what is over."""

from __future__ import annotations

from pathlib import Path

from penstock.tasks.settle import Closing, Done
from tests.jobs import desk, until

APP = """
from penstock import task

@task
def nothing() -> None:
    pass
"""


def test_a_supervisor_keeps_as_many_as_penstock_toml_says(tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text("[tasks]\nkeep_jobs = 1\n")
    with desk(tmp_path, APP) as jobs:
        for _ in range(3):
            id = jobs.submit("nothing")
            (claim,) = jobs.store.claim("w", "default")
            jobs.store.close_attempts([Closing(id, claim.fence, Done())])
        run = jobs.work()
        until(lambda: len(jobs.store.jobs()) == 1, "two are forgotten")
        assert jobs.result(jobs.submit("nothing")) is None
        run.signal()
        run.end()
