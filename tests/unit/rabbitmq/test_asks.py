"""What clients ask of the hub: only what is foreseen is ever done, and whatever comes is answered."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import EnvironmentFault, PeerError, UserError
from penstock.rabbitmq import answers, asks
from penstock.rabbitmq.letters import Unreadable
from penstock.tasks.filter import Filter
from penstock.tasks.freight import packed
from penstock.tasks.job import NewJob, uuid7
from penstock.tasks.settle import Closing, Done
from penstock.tasks.store import Store
from penstock.tasks.transit import Transit

ID = uuid7(0, bytes(10))
TEXT = st.text(max_size=40)
IDS = st.lists(TEXT, max_size=5)
FILTERS = st.builds(
    Filter,
    group=TEXT,
    task=TEXT,
    states=st.lists(st.sampled_from(["ready", "dead"])),
    since=st.none() | st.integers(0, 2**53),
    until=st.none() | st.integers(0, 2**53),
    cause=TEXT,
    before=st.none() | st.integers(0, 2**53),
)
ASKS = st.one_of(
    st.builds(asks.Find, TEXT),
    st.builds(asks.Look, TEXT),
    st.builds(asks.Listing, FILTERS, st.integers(0, 10**6)),
    st.builds(asks.States, IDS),
    st.builds(asks.Results, IDS),
    st.builds(asks.Arguments, TEXT),
    st.builds(asks.Attempts, TEXT),
    st.builds(asks.Queues),
    st.builds(asks.Stats),
    st.builds(asks.Timings),
    st.builds(asks.Submit, st.lists(st.builds(NewJob, st.just("default"), TEXT, st.binary(max_size=9)))),
    st.builds(asks.Cancel, IDS),
    st.builds(asks.Requeue, IDS),
    st.builds(asks.Amend, TEXT, st.binary(max_size=40)),
    st.builds(asks.Remove, IDS),
    st.builds(asks.Pause, st.just(["default"]), TEXT),
    st.builds(asks.Resume, IDS),
)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """That of a hub, with a job that is done and one that waits."""
    found = Store(":memory:")
    Transit(found)
    found.add_group("default")
    found.submit([NewJob("default", "t", packed([[], {}])), NewJob("default", "t", packed([[], {}]))])
    (claim,) = found.claim("w", "default")
    found.close_attempts([Closing(claim.id, claim.fence, Done(packed(1)))])
    yield found
    found.close()


@given(ASKS)
def test_a_question_arrives_as_it_was_asked(ask: asks.Ask) -> None:
    assert asks.decode(asks.encode(ask)) == ask


@settings(max_examples=50)
@given(ASKS)
def test_every_question_has_an_answer_that_its_asker_can_read(store: Store, ask: asks.Ask) -> None:
    body, changed, _ = answers.answer(store, asks.encode(ask))
    asks.answer_of(ask, body)
    assert changed is isinstance(ask, asks.STEERING)


@settings(max_examples=50)
@given(st.binary() | st.builds(msgspec.msgpack.encode, st.dictionaries(TEXT, TEXT | IDS)))
def test_whatever_comes_is_answered_and_nothing_of_it_is_done(store: Store, body: bytes) -> None:
    before = store.db.total_changes
    answered = answers.answer(store, body)
    with pytest.raises(PeerError, match="does not know such a request"):
        asks.answer_of(asks.Queues(), answered.body)
    assert (answered.changed, store.db.total_changes) == (False, before)


@given(ASKS, st.binary())
def test_an_answer_that_is_none_is_refused(ask: asks.Ask, body: bytes) -> None:
    try:
        asks.answer_of(ask, body)
    except Unreadable:
        pass


@pytest.mark.parametrize("id", ["../../../../escaped", "", f"{ID}\n", f"{ID}/.."])
def test_a_job_whose_id_could_be_a_path_is_refused(id: str) -> None:
    for job in (NewJob("default", "t", b"", id=id), NewJob("default", "t", b"", needs=[id])):
        with pytest.raises(Unreadable, match="does not know such a request"):
            asks.decode(asks.encode(asks.Submit([job])))


def test_a_group_that_is_not_there_cannot_be_paused(store: Store) -> None:
    ask = asks.Pause(["defualt"])
    with pytest.raises(UserError, match="there is no group 'defualt'; did you mean 'default'"):
        asks.answer_of(ask, answers.answer(store, asks.encode(ask)).body)


def test_more_ids_than_a_message_holds_are_refused() -> None:
    with pytest.raises(Unreadable):
        asks.decode(asks.encode(asks.Cancel(["x"] * (asks.MOST + 1))))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UserError("say which"), UserError),
        (Unreadable("what?"), PeerError),
        (EnvironmentFault("full"), EnvironmentFault),
    ],
)
def test_what_went_wrong_at_the_hub_is_raised_where_it_was_asked(
    error: UserError | PeerError | EnvironmentFault, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=str(error).replace("?", r"\?")):
        asks.answer_of(asks.Queues(), asks.reply_to(error=error))


def test_a_store_that_cannot_be_used_is_said_so() -> None:
    broken = Store(":memory:")
    broken.close()
    with pytest.raises(EnvironmentFault, match="the hub cannot use its store of jobs, :memory:"):
        asks.answer_of(asks.Queues(), answers.answer(broken, asks.encode(asks.Queues())).body)


def test_a_result_that_is_too_large_for_a_broker_is_said_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LARGEST", 1)
    (done,) = (row.id for row in store.jobs() if row.state == "done")
    with pytest.raises(UserError, match=r"its result has .* bytes, too many to be sent over a broker"):
        asks.answer_of(asks.Results([done]), answers.answer(store, asks.encode(asks.Results([done]))).body)
