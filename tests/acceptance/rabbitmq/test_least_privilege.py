"""Hub, worker and client as the accounts that `penstock broker init --accounts` makes: they suffice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from penstock.tasks.connect import remote
from tests.brokered import BrokerDesk
from tests.jobs import Supervisor

APP = """
from penstock import JobContext, task


@task(group="gpu", timeout="10m")
def stumbles(ctx: JobContext, number: int) -> int:
    print(number)
    ctx.progress(number, 10)
    ctx.checkpoint("/saved", number)
    if ctx.attempt == 1:
        raise ValueError("the first time")
    return number


@task(group="gpu", timeout="10m")
def hands_on(number: int) -> str:
    return stumbles.submit(number=number).id
"""


class Secured(BrokerDesk):
    """A desk whose processes have an account each."""

    def __init__(self, directory: Path, admin: str, accounts: dict[str, str]) -> None:
        self.accounts = accounts
        directory.mkdir()
        super().__init__(directory, APP, admin, ["gpu"])
        self.broker = accounts["api"]

    def start_hub(self, *arguments: str, **variables: Any) -> Supervisor:
        """As its account."""
        return super().start_hub(*arguments, PENSTOCK_BROKER=self.accounts["hub"], **variables)

    def work(self, *arguments: str, app: str = "app.py", **variables: Any) -> Supervisor:
        """As the account of the group."""
        return super().work(*arguments, app=app, PENSTOCK_BROKER=self.accounts["worker-gpu"], **variables)


def test_jobs_that_stumble_are_done_by_processes_that_may_do_nothing_else(
    broker: str, secured: dict[str, str], tmp_path: Path
) -> None:
    desk = Secured(tmp_path / "desk", broker, secured)
    try:
        desk.work()
        ids = [desk.submit("stumbles", number, group="gpu") for number in range(3)]
        slow = desk.submit("stumbles", 7, group="gpu", backoff=1.5)
        assert [desk.result(id) for id in (*ids, slow)] == [0, 1, 2, 7]
        assert [each.outcome for each in desk.attempts(slow)] == ["failed", "done"]
        client = remote(desk.broker)
        assert client.piece(slow, 2, 0) is not None, "it is asked for what the job has printed"
        client.close()
    finally:
        desk.close()


def test_code_that_submits_while_it_runs_as_a_job_may_have_an_account_of_its_own(
    broker: str, secured: dict[str, str], tmp_path: Path
) -> None:
    desk = Secured(tmp_path / "desk", broker, secured)
    try:
        said = f"[group.gpu]\nvariables = {{ PENSTOCK_BROKER = {json.dumps(secured['api'])} }}\n"
        (desk.directory / "penstock.toml").write_text(said)
        desk.work()
        inner = desk.result(desk.submit("hands_on", 5, group="gpu"))
        assert desk.result(inner) == 5
    finally:
        desk.close()
