"""Who submits a job hears of it if no worker of its group has had as many GPUs as it needs."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from penstock.tasks import steering
from penstock.tasks.desk import Queue
from penstock.tasks.home import Home
from penstock.tasks.job import NewJob, Rules
from penstock.tasks.local import LocalDesk
from penstock.tasks.shortage import shortage
from penstock.tasks.store import Store


def _queue(gpus: int | None) -> Queue:
    return Queue("gpu", "", {}, None, gpus)


@pytest.mark.parametrize(
    ("gpus", "said"),
    [(None, "there was none yet"), (0, "has had is 0"), (1, "has had is 1"), (2, ""), (3, "")],
)
def test_a_sentence_says_what_is_missing_and_where_to_say_it(gpus: int | None, said: str) -> None:
    found = shortage("gpu", 2, [_queue(gpus)])
    assert bool(found) is bool(said)
    assert said in found
    assert not found or ("with 2 GPUs" in found and "[group.gpu]" in found)


def test_what_needs_none_waits_for_none() -> None:
    assert shortage("gpu", 0, []) == ""


def test_a_submission_warns_until_there_was_such_a_worker(tmp_path: Path) -> None:
    home = Home(str(tmp_path / "jobs.db"))
    desk, job = LocalDesk(home), NewJob("gpu", "t", b"", rules=Rules(gpus=2))
    with pytest.warns(UserWarning, match=r"waits for a worker of 'gpu' with 2 GPUs, and there was none yet"):
        desk.submit([job])
    store = Store(home.store)
    steering.equip(store, "gpu", 2)
    store.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        desk.submit([NewJob("gpu", "t", b"", rules=Rules(gpus=2)), NewJob("cpu", "t", b"")])
    desk.close()
