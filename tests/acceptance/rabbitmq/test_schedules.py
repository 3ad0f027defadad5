"""Tasks that are called by themselves, over a real broker: the hub plans what supervisors say."""

from __future__ import annotations

from pathlib import Path

from penstock.tasks import timetable
from tests.brokered import broker_desk
from tests.jobs import until

APP = """\
from penstock import JobContext, task


@task(every="1s")
def beats(ctx: JobContext) -> None:
    with open("beats", "a") as file:
        file.write(f"{ctx.id}\\n")


@task(cron="0 3 * * *")
def report() -> None: ...
"""


def test_two_supervisors_run_each_tick_once_as_the_hub_plans_it(tmp_path: Path, broker: str) -> None:
    with broker_desk(tmp_path, APP, broker) as jobs:
        jobs.work()
        jobs.work()
        ids = jobs.until_noted("beats", 3)
        assert len(set(ids)) == len(ids)
        assert {row.by for row in jobs.store.jobs()} == {"its schedule"}
        (tmp_path / "app.py").write_text(APP.replace("0 3 * * *", "0 4 * * *"))
        jobs.work()
        until(
            lambda: "0 4 * * *" in {str(each.scheduled.schedule) for each in timetable.entries(jobs.store)},
            "what the code says now",
        )
        reports = [row for row in jobs.store.jobs() if row.task == "report"]
        assert len(reports) == 1
