"""What the desk of a broker makes of a hub that is behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.errors import BrokerFault
from penstock.rabbitmq import asks
from penstock.rabbitmq.desk import RabbitDesk
from penstock.rabbitmq.url import parse
from penstock.tasks.desk import JobState
from penstock.tasks.job import new_id


class Behind(RabbitDesk):
    """Its hub comes to one job more with each question."""

    known: set[str]
    coming: Iterator[str]

    def _asked(self, ask: asks.Ask, within: float | None = None) -> Any:
        if isinstance(ask, asks.States):
            found = [JobState(id, "ready", None) for id in ask.ids if id in self.known]
        else:
            assert isinstance(ask, asks.Cancel)
            found = [id for id in ask.ids if id in self.known]  # type: ignore[misc]
        self.known.update([id for id in [next(self.coming, None)] if id])
        return found


def behind(known: list[str], coming: list[str], patience: float) -> Behind:
    desk = Behind(parse("amqp://a:b@localhost/"), patience=patience)
    desk.known, desk.coming = set(known), iter(coming)
    return desk


def test_a_job_that_the_hub_has_not_come_to_is_cancelled_when_it_has() -> None:
    ids = [new_id() for _ in range(5)]
    found = behind(ids[:2], ids[2:], 30.0).cancel(ids)
    assert set(found) == set(ids)


def test_who_cancels_is_told_that_the_hub_does_not_come_to_it() -> None:
    with pytest.raises(BrokerFault, match=r"has not come to job .* yet; ask again"):
        behind([], [], 0.3).cancel([new_id()])


def test_an_old_job_that_nobody_knows_is_not_waited_for() -> None:
    assert behind([], [], 30.0).cancel(["00000000-0000-7000-8000-000000000000"]) == []
