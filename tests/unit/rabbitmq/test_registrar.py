"""What the hub makes of what comes: one message, or one full disk, keeps nothing else from being done."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.errors import PenstockError
from penstock.rabbitmq import asks, letters, registrar, talk
from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.registrar import Registrar, Written
from penstock.rabbitmq.talk import Orders
from penstock.rabbitmq.turn import Parcel
from penstock.tasks import schema
from penstock.tasks.freight import packed
from penstock.tasks.home import Home
from penstock.tasks.job import NewJob, Rules
from penstock.tasks.keeping import DAY, Keeping
from penstock.tasks.local import LocalDesk
from penstock.tasks.settle import Done, Failed, Outcome
from penstock.tasks.store import Store

HOUR = 3_600_000


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


def test_a_job_that_needs_more_than_a_broker_takes_is_dead_with_the_reason(
    hub: Registrar, clock: Clock
) -> None:
    first, second = NewJob("g", "load", packed([[], {}])), NewJob("g", "load", packed([[], {}]))
    join = NewJob("g", "join", packed([[], {}, ["", True]]), needs=[first.id, second.id])
    hub.serve([_asked(asks.Submit([first, second, join]))])
    for each in (first, second):
        hub.transit.take("g", each.id, 0, "w.g.1")
        written = hub.serve([_ended(each.id, Done(packed("x" * 600_000)))])
    found = hub.store.job(join.id)
    assert found is not None and found.state == "dead"
    assert "bytes of arguments are too many for a broker" in found.cause
    assert _published(written) == []
    assert hub.serve([]).due > clock.now, "nobody tries it again and again"


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


def _ask(hub: Registrar, id: str = "") -> list[Any]:
    """What a supervisor hears that wants to begin a job; without one, what is said by now."""
    petition = talk.Petition("worker.g.1", [talk.Ask(id, 0)])
    parcels = [Parcel("petition", "g.claim", Message(body=talk.encode(petition)))] if id else []
    posts = hub.serve(parcels).posts
    return [word for post in posts if not post.job for word in talk.decode(post.message.body, Orders).words]


def test_a_clock_that_jumps_back_makes_jobs_late_and_loses_none(hub: Registrar, clock: Clock) -> None:
    due, later, unknown = (NewJob("g", "t", b"", run_at=at) for at in (0, clock.now + 1000, 0))
    hub.serve([_submitted(due), _submitted(later, "later.g")])
    assert _ask(hub, unknown.id) == []  # it may be on its way
    clock.now -= HOUR
    assert [type(word) for word in _ask(hub, due.id)] == [talk.Run]
    assert [_published(hub.serve([])), _state(hub, later)] == [[], "scheduled"]
    clock.now += 1000
    assert [type(word) for word in _ask(hub)] == [talk.Later], "who asked before is not left waiting"
    hub.serve([_ended(due.id, Done())])
    assert _state(hub, due) == "done"
    clock.now += HOUR
    assert _published(hub.serve([])) == [later.id]


def test_words_of_jobs_that_never_came_are_forgotten_after_a_month(hub: Registrar, clock: Clock) -> None:
    hub.serve([_ended(NewJob("g", "t", b"").id, Done(b""))])
    for days, kept in ((29, 1), (31, 0)):
        clock.now = Clock.now + days * 86_400_000
        hub.serve([])
        assert hub.store.db.execute("SELECT COUNT(*) FROM early").fetchone() == (kept,)


def test_jobs_that_are_over_are_forgotten_in_time_though_nothing_comes(clock: Clock) -> None:
    store = Store(":memory:", now=clock)
    hub = Registrar(store, now=clock, keeping=Keeping(age=7 * DAY, jobs=2))
    done = [NewJob("g", "t", b"") for _ in range(3)]
    dead = NewJob("g", "t", b"", rules=Rules(max_failures=0))
    hub.serve([_submitted(job) for job in (*done, dead)])
    outcomes: list[Outcome] = [Failed("error", "no"), *(Done(packed(1)) for _ in done)]
    for each, outcome in zip((dead, *done), outcomes, strict=True):
        clock.now += 1
        hub.transit.take("g", each.id, 0, "w.g.1")
        hub.serve([_ended(each.id, outcome)])
    clock.now = hub.serve([]).due
    hub.serve([])
    assert [_state(hub, job) for job in (*done, dead)] == ["unknown", "done", "done", "dead"]
    clock.now += 7 * DAY
    hub.serve([])
    assert [row.state for row in store.jobs()] == ["dead"]
    store.close()


def test_what_is_too_large_for_a_message_travels_by_a_file(tmp_path: Path, clock: Clock) -> None:
    home = Home(str(tmp_path / "jobs.db"))
    store = Store(home.store, now=clock)
    store.beside.share(home.depot, store.id)
    hub = Registrar(store, now=clock)
    job, large = NewJob("g", "t", b""), packed("x" * 2_000_000)
    sent = msgspec.structs.replace(job, file=home.depot.put(store.id, f"{job.id}.args", large))
    hub.serve([_submitted(sent), _submitted(sent)])
    assert store.arguments(job.id) == large
    hub.transit.take("g", job.id, 0, "w.g.1")
    named = home.depot.put(store.id, f"{job.id}.1.result", large)
    for _ in range(2):
        hub.serve([_ended(job.id, Done(path=named))])
    assert store.result(job.id) == large, "it is there still, though it was told twice"
    assert store.remove([job.id]) == [job.id]
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name == store.id] == []
    store.close()


def test_a_job_whose_file_is_gone_is_dead_with_the_reason_and_stops_nobody(
    tmp_path: Path, clock: Clock
) -> None:
    home = Home(str(tmp_path / "jobs.db"))
    store = Store(home.store, now=clock)
    store.beside.share(home.depot, store.id)
    hub = Registrar(store, now=clock)
    large = packed("x" * 2_000_000)
    later = [NewJob("g", "t", large, run_at=clock.now + 1000) for _ in range(2)]
    ids = store.submit(later)
    Path(home.depot.folder, store.id, f"{ids[0]}.args").unlink()
    clock.now += 2000
    (post,) = (post for post in hub.serve([]).posts if post.job)
    assert (post.job, post.message.body) == (ids[1], b"")
    assert post.message.headers["ps-file"] == f"{store.id}/{ids[1]}.args"
    found = store.job(ids[0])
    assert found is not None
    assert found.state == "dead" and "the file of its arguments is gone" in found.cause
    store.close()


def test_the_file_of_another_store_is_read_for_nobody(tmp_path: Path, clock: Clock) -> None:
    home = Home(str(tmp_path / "jobs.db"))
    store = Store(home.store, now=clock)
    store.beside.share(home.depot, store.id)
    hub = Registrar(store, now=clock)
    job, other = NewJob("g", "t", b""), "f" * 32
    home.depot.open(other)
    sent = msgspec.structs.replace(job, file=home.depot.put(other, f"{job.id}.args", b"secret"))
    hub.serve([_submitted(sent)])
    found = store.job(job.id)
    assert found is not None
    assert found.state == "dead" and "is no file of this store" in found.cause
    assert store.arguments(job.id) == b""
    for ask in (asks.Amend(job.id, b"", sent.file), asks.Submit([sent])):
        (post,) = (post for post in hub.serve([_asked(ask)]).posts if post.key == "reply.a")
        with pytest.raises(PenstockError, match="is no file of this store"):
            asks.answer_of(ask, post.message.body)
    assert os.path.exists(home.depot.path(sent.file))
    store.close()


def test_a_result_that_the_hub_does_not_see_is_a_failure_that_says_where_it_was_looked_for(
    tmp_path: Path, clock: Clock
) -> None:
    home = Home(str(tmp_path / "jobs.db"))
    store = Store(home.store, now=clock)
    store.beside.share(home.depot, store.id)
    hub = Registrar(store, now=clock)
    job = NewJob("g", "t", b"")
    hub.serve([_submitted(job)])
    hub.transit.take("g", job.id, 0, "w.g.1")
    hub.serve([_ended(job.id, Done(path=f"{store.id}/{job.id}.1.result"))])
    found = store.job(job.id)
    assert found is not None
    assert found.state == "dead" and "a file that the hub does not see" in found.cause
    store.close()


def test_a_hub_tells_how_many_gpus_a_worker_has_had(hub: Registrar) -> None:
    def told() -> int | None:
        (post,) = (post for post in hub.serve([_asked(asks.Queues())]).posts if post.key == "reply.a")
        (queue,) = asks.answer_of(asks.Queues(), post.message.body)
        gpus: int | None = queue.gpus
        return gpus

    assert told() is None
    for count, most in ((1, 1), (4, 4), (2, 4)):
        petition = talk.Petition("worker.g.1", [talk.Hello(["g"], gpus=count)])
        hub.serve([Parcel("petition", "g.claim", Message(body=talk.encode(petition)))])
        assert told() == most


def test_a_copy_of_a_job_that_is_removed_is_let_go_and_never_run(hub: Registrar) -> None:
    job = NewJob("g", "t", b"")
    hub.serve([_submitted(job)])
    hub.store.cancel(job.id)
    assert hub.store.remove([job.id]) == [job.id]
    ask = talk.encode(talk.Petition("worker.g.1", [talk.Ask(job.id, 0)]))
    written = hub.serve([_submitted(job), Parcel("petition", "g.claim", Message(body=ask))])
    (post,) = (post for post in written.posts if post.key == "worker.g.1")
    assert talk.decode(post.message.body, talk.Orders).words == [talk.Skip(job.id, 0, "removed")]
    assert hub.store.jobs() == []
    assert (
        asks.answer_of(asks.Find(job.id), hub.serve([_asked(asks.Find(job.id))]).posts[0].message.body) == []
    )


@pytest.mark.parametrize("said", ["{}/victim", "{}", "a\0b"])
def test_a_file_that_a_report_calls_a_log_is_no_log(clock: Clock, tmp_path: Path, said: str) -> None:
    victim, path = tmp_path / "victim", tmp_path / "jobs.db"
    victim.touch()
    home, job = Home(str(path)), NewJob("g", "t", b"x")
    own = Path(home.log(job.id, 1))
    own.parent.mkdir(parents=True)
    own.touch()
    store = Store(str(path), now=clock)
    store.add_group("g")
    hub = Registrar(store, now=clock)
    ending = talk.Ending(job.id, 1, Done(b"r"), log=said.format(tmp_path))
    report = Message(body=talk.encode(talk.Report("w.g.1", [ending])))
    hub.serve([_submitted(job), Parcel("report", "g.settled", report)])
    assert store.attempts(job.id)[0].log == ending.log
    assert LocalDesk(home).logs(job.id) == ""
    assert store.remove([job.id]) == [job.id]
    assert victim.exists()
    assert not own.exists()
    store.close()


def test_whoever_speaks_for_what_can_be_no_group_is_not_heard(hub: Registrar) -> None:
    said = Message(body=talk.encode(talk.Petition("w.g.1", [talk.Hello(["g"]), talk.Halt("g", "why")])))
    assert hub.serve([Parcel("petition", "\ufffd.claim", said)]).groups == ["g"]


def test_a_job_whose_file_cannot_be_read_now_is_put_off_and_stops_nobody(
    tmp_path: Path, clock: Clock
) -> None:
    home = Home(str(tmp_path / "jobs.db"))
    store = Store(home.store, now=clock)
    store.beside.share(home.depot, store.id)
    hub = Registrar(store, now=clock)
    large = packed("x" * 2_000_000)
    ids = store.submit([NewJob("g", "t", large, run_at=clock.now + 1000) for _ in range(2)])
    with store.db:
        (path,) = store.db.execute("SELECT args_path FROM job WHERE id = ?", (ids[0],)).fetchone()
        through = str(tmp_path / "jobs.db" / "args")  # below a file there is nothing: ENOTDIR
        store.db.execute("UPDATE job SET args_path = ? WHERE id = ?", (through, ids[0]))
    clock.now += 2000
    written = hub.serve([])
    assert _published(written) == [ids[1]]
    (trouble,) = written.troubles
    assert ids[0] in trouble and "Not a directory" in trouble
    assert hub.serve([], sent=[ids[1]]).troubles == []
    with store.db:
        store.db.execute("UPDATE job SET args_path = ? WHERE id = ?", (path, ids[0]))
    clock.now += 10_000
    assert _published(hub.serve([])) == [ids[0]]
    store.close()


def test_what_a_log_says_goes_to_who_can_have_asked(hub: Registrar) -> None:
    questions = ["reply.a b", "reply.a " + "b" * 300, "reply." + "a" * 300 + " b", "reply.a \ud7ff"]
    said = [Message(body=talk.encode(talk.Shown(each, None))) for each in questions]
    posts = hub.serve([Parcel("log", "g.log", each) for each in said]).posts
    assert [(post.key, post.message.correlation) for post in posts] == [("reply.a", "b")]
