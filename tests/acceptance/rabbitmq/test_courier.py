"""Which jobs a supervisor is given over a broker, and what becomes of them while nobody keeps the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.rabbitmq.desk import RabbitDesk
from penstock.rabbitmq.url import parse
from penstock.runtime.jobs import courier
from penstock.tasks.freight import packed
from penstock.tasks.job import NewJob, Rules
from penstock.tasks.settle import Done, Failed
from penstock.tasks.store import Store
from tests.courier import runner
from tests.hub import hub, prepare
from tests.jobs import until

AGAIN = Rules(max_failures=1, backoff=0.01)


@pytest.fixture
def desk(broker: str) -> Iterator[RabbitDesk]:
    prepare(broker, "g")
    found = RabbitDesk(parse(broker), patience=60.0)
    yield found
    found.close()


def _job(number: int, **more: Any) -> NewJob:
    return NewJob("g", "t", packed([[number], {}]), **more)


def test_a_job_behind_a_cancelled_one_is_begun_though_nothing_else_happens(
    broker: str, desk: RabbitDesk, tmp_path: Path
) -> None:
    with hub(broker, tmp_path / "hub" / "jobs.db", "g"), runner(broker, tmp_path, "g", slots=2) as mine:
        first, second = desk.submit([_job(1), _job(2)])
        assert desk.cancel([first]) == [first]
        (claim,) = mine.claim(1)
        assert claim.id == second
        mine.end(claim, Done())


def test_a_copy_that_comes_twice_and_waits_while_the_first_is_begun_is_not_begun_again(
    broker: str, desk: RabbitDesk, tmp_path: Path
) -> None:
    with hub(broker, tmp_path / "hub" / "jobs.db", "g"), runner(broker, tmp_path, "g", slots=3) as mine:
        twice, other = _job(1), _job(2)
        desk.submit([twice])
        desk.submit([twice])
        desk.submit([other])
        claims = [mine.claim(1)[0] for _ in range(2)]
        assert [each.id for each in claims] == [twice.id, other.id]
        for each in claims:
            mine.end(each, Done())
        until(lambda: all(each.state == "done" for each in desk.states([twice.id, other.id])), "both are")


def test_a_job_that_runs_and_lies_in_the_queue_twice_keeps_no_other_from_being_begun(
    broker: str, desk: RabbitDesk, tmp_path: Path
) -> None:
    with hub(broker, tmp_path / "hub" / "jobs.db", "g"), runner(broker, tmp_path, "g", slots=2) as mine:
        long, other = _job(1), _job(2)
        desk.submit([long])
        (running,) = mine.claim(1)
        for _ in range(4):
            desk.submit([long])
        desk.submit([other])
        (claim,) = mine.claim(1)
        assert claim.id == other.id
        for each in (claim, running):
            mine.end(each, Done())
        until(lambda: all(each.state == "done" for each in desk.states([long.id, other.id])), "both are")


def test_a_group_that_may_goes_on_without_a_hub_and_the_store_is_right_when_there_is_one(
    broker: str, desk: RabbitDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "ASKED_AGAIN", 0.2)
    path = tmp_path / "hub" / "jobs.db"
    with runner(broker, tmp_path, "g", slots=4, unfenced=True) as mine:
        ids = desk.submit([_job(number, rules=AGAIN) for number in range(4)])
        done, stumbling, dying, running = mine.claim(4)
        assert [each.id for each in (done, stumbling, dying, running)] == ids
        mine.end(done, Done(packed(7)))
        for claim in (stumbling, dying):
            mine.end(claim, Failed("error", "ValueError: no"))
        for claim in mine.claim(2):
            assert (claim.fence, claim.failures) == (2, 1)
            mine.end(claim, Done(packed(8)) if claim.id == stumbling.id else Failed("error", "no"))
        with hub(broker, path, "g"):
            store = Store(str(path))
            until(lambda: _states(store, ids) == ["done", "done", "dead", "running"], "it is all known")
            assert [store.result(id) for id in ids[:2]] == [packed(7), packed(8)]
            assert [each.fence for id in ids for each in store.attempts(id)] == [1, 1, 2, 1, 2]
            mine.end(running, Done(packed(9)))
            until(lambda: _states(store, ids)[3] == "done", "what was begun without it is recorded, too")
            assert desk.submit([_job(5)]) == [mine.claim(1)[0].id]
            store.close()


def _states(store: Store, ids: list[str]) -> list[str]:
    rows = [store.job(id) for id in ids]
    return [row.state for row in rows if row]
