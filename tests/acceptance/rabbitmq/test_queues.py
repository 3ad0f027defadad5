"""Queues between pipelines that share nothing but the broker."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from penstock.cli.main import answer
from penstock.rabbitmq import topology
from tests.brokered import broker_desk
from tests.jobs import Supervisor, until

APP = """
from penstock import Pipeline, from_queue, sink, source, to_queue

@source
def count():
    yield from range(20)

@sink
def write(value) -> None:
    with open("out.txt", "a") as file:
        file.write(f"{value}\\n")

shoot = Pipeline("shoot", count >> to_queue("images"))
look = Pipeline("look", from_queue("images") >> write)
"""


def test_what_one_pipeline_puts_another_draws_and_init_knows_their_queue(
    tmp_path: Path, broker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with broker_desk(tmp_path, APP, broker) as jobs:
        (tmp_path / "ends.py").write_text(APP)
        assert answer(["broker", "init", broker, str(tmp_path / "ends.py")]) == 0
        assert topology.work_queue("images") in capsys.readouterr().out
        shoot = Supervisor(tmp_path, ["-m", "penstock", "run", "app.py:shoot"], PENSTOCK_BROKER=broker)
        shoot.end()
        look = Supervisor(tmp_path, ["-m", "penstock", "run", "app.py:look"], PENSTOCK_BROKER=broker)
        try:
            assert sorted(map(int, jobs.until_noted("out.txt", 20))) == list(range(20))
            done = "SELECT COUNT(*) = 20 FROM job WHERE state = 'done'"
            until(lambda: jobs.store.db.execute(done).fetchone()[0], "the hub has heard of all of it")
            look.signal(signal.SIGINT)
            look.end()
        finally:
            look.close()
