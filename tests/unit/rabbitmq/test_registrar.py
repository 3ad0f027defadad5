"""What the hub makes of what comes: one message, or one full disk, keeps nothing else from being done."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import msgspec
import pytest

from penstock.errors import PenstockError
from penstock.rabbitmq import asks, letters, registrar, talk
from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.registrar import Registrar, Written
from penstock.rabbitmq.turn import Parcel
from penstock.tasks import schema
from penstock.tasks.freight import packed
from penstock.tasks.job import NewJob
from penstock.tasks.settle import Done, Outcome
from penstock.tasks.store import Store


class Clock:
    now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub(clock: Clock) -> Iterator[Registrar]:
    store = Store(":memory:", now=clock)
    store.add_group("g")
    yield Registrar(store, now=clock)
    store.close()


def _asked(ask: asks.Ask) -> Parcel:
    return Parcel("ask", "asks", Message(type=asks.TYPE, body=asks.encode(ask), reply_to="reply.a"))


def _submitted(job: NewJob, key: str = "g") -> Parcel:
    return Parcel("submitted", key, letters.sealed(Letter(job, 0)))


def _ended(id: str, outcome: Outcome) -> Parcel:
    report = talk.Report("w.g.1", [talk.Ending(id, 1, outcome)])
    return Parcel("report", "g.settled", Message(body=talk.encode(report)))


def _published(written: Written) -> list[str]:
    return [post.job for post in written.posts if post.job]


def _state(hub: Registrar, job: NewJob) -> str:
    found = hub.store.job(job.id)
    return found.state if found else "unknown"


@pytest.mark.parametrize(
    "rules", ['{"gpus": 9223372036854775808}', '{"timeout": -1}', '{"max_failures": -5}']
)
def test_rules_that_no_store_holds_are_a_dead_letter(hub: Registrar, rules: str) -> None:
    message = letters.sealed(Letter(NewJob("g", "t", b"x"), 0))
    wrong = msgspec.structs.replace(message, headers={**message.headers, "ps-rules": rules})
    hub.serve([Parcel("submitted", "g", wrong)])
    (row,) = hub.store.jobs()
    assert row.state == "dead" and "ps-rules is no JSON of the rules of a job: Expected" in row.cause


def test_a_number_that_no_store_holds_is_an_error_for_who_has_said_it(hub: Registrar) -> None:
    for ask in (
        asks.Submit([NewJob("g", "t", b"", priority=2**63)]),
        asks.Find("9" * 30),
        asks.Listing(limit=-5),
    ):
        (post,) = hub.serve([_asked(ask)]).posts
        with pytest.raises(PenstockError):
            asks.answer_of(ask, post.message.body)


def test_what_cannot_be_written_is_buried_and_the_rest_is_done(hub: Registrar) -> None:
    good, other = NewJob("g", "t", b"1"), NewJob("g", "t", b"2")
    said = talk.Report("w.g.1", [talk.Saying(good.id, 1, numbers={"loss": b"no JSON"})])
    poison = Parcel("report", "g.progress", Message(body=talk.encode(said)))
    hub.serve([_submitted(good)])
    hub.transit.take("g", good.id, 0, "w.g.1")
    hub.serve([_submitted(other), poison, _ended(good.id, Done(packed(1)))])
    assert (_state(hub, good), _state(hub, other)) == ("done", "ready")
    (dead,) = [row for row in hub.store.jobs() if row.state == "dead"]
    assert "TypeError" in dead.cause and hub.store.arguments(dead.id) == poison.message.body


def test_a_job_that_needs_more_than_a_broker_takes_is_dead_with_the_reason(hub: Registrar) -> None:
    first, second = NewJob("g", "load", packed([[], {}])), NewJob("g", "load", packed([[], {}]))
    join = NewJob("g", "join", packed([[], {}, ["", True]]), needs=[first.id, second.id])
    hub.serve([_asked(asks.Submit([first, second, join]))])
    for each in (first, second):
        hub.transit.take("g", each.id, 0, "w.g.1")
        written = hub.serve([_ended(each.id, Done(packed("x" * 600_000)))])
    found = hub.store.job(join.id)
    assert found is not None and found.state == "dead"
    assert "bytes of arguments are too many for a broker" in found.cause
    assert (_published(written), hub.serve([]).due) == ([], None)


def test_what_is_due_is_published_though_the_disk_was_full_once(
    hub: Registrar, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = NewJob("g", "t", b"x", run_at=clock.now + 1000)
    hub.serve([_submitted(job, "later.g")])
    clock.now += 2000
    real = schema.writing

    @contextlib.contextmanager
    def full(db: sqlite3.Connection) -> Iterator[None]:
        with real(db):
            yield
            raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(registrar, "writing", full)
        with pytest.raises(sqlite3.OperationalError):
            hub.serve([])
    assert _published(hub.serve([])) == [job.id]
    assert _published(hub.serve([])) == []  # it is on its way


def test_words_of_jobs_that_never_came_are_forgotten_after_a_month(hub: Registrar, clock: Clock) -> None:
    hub.serve([_ended(NewJob("g", "t", b"").id, Done(b""))])
    for days, kept in ((29, 1), (31, 0)):
        clock.now = Clock.now + days * 86_400_000
        hub.serve([])
        assert hub.store.db.execute("SELECT COUNT(*) FROM early").fetchone() == (kept,)
