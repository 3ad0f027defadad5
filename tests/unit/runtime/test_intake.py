"""The intake: what no worker here can run goes back, and people hear of it once."""

from __future__ import annotations

from typing import Any

from penstock.rabbitmq.letters import Letter
from penstock.runtime.book import Wish
from penstock.runtime.intake import Copy, Intake
from penstock.tasks.job import NewJob, Rules


class Receipts:
    """Of a channel that is open."""

    alive = True


def _copy(id: str, gpus: int) -> Copy:
    receipts: Any = Receipts()
    return Copy(Letter(NewJob("g", "t", b"", id=id, rules=Rules(gpus=gpus)), 0), receipts, 1)


def test_a_job_that_needs_more_gpus_than_a_worker_has_is_put_back_and_people_hear_of_it_once() -> None:
    asked: list[Copy] = []
    put_off: list[Copy] = []
    troubles: list[str] = []
    intake = Intake(
        "g",
        1,
        came=lambda _: True,
        ask=asked.append,
        put_off=lambda copy, _: put_off.append(copy),
        trouble=troubles.append,
    )
    intake.wish(Wish("g", 3, 1, lambda _: None))
    many, more, one = _copy("a", 2), _copy("b", 2), _copy("c", 1)
    for copy in (many, more, one):
        intake.offer(copy)
    assert (put_off, asked) == ([many, more], [one])
    assert len(troubles) == 1
    assert "needs 2 GPUs, and a worker has 1 here" in troubles[0]
