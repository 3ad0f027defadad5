"""What a hub's store makes of copies and words that come twice, late, or in another order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.tasks import timetable
from penstock.tasks.admission import Begin, Elsewhere, Over, Pending, Place, Repeat, Unknown, admit
from penstock.tasks.depot import Depot
from penstock.tasks.freight import call, packed
from penstock.tasks.job import Claim, NewJob, Rules
from penstock.tasks.schedule import Schedule, Scheduled
from penstock.tasks.settle import Closing, Done, Failed, Returned
from penstock.tasks.store import Store
from penstock.tasks.transit import Accepted, Letter, Transit


class Clock:
    now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def transit(clock: Clock) -> Iterator[Transit]:
    store = Store(":memory:", now=clock, jitter=lambda: 0.0)
    yield Transit(store, now=clock)
    store.close()


def _accept(transit: Transit, job: NewJob | None = None, *, queued: bool = True) -> str:
    job = job or NewJob("g", "t", b"a")
    transit.accept([Accepted(job, queued)])
    return job.id


def _begun(transit: Transit, id: str, after: int = 0, owner: str = "a") -> Claim:
    decided, claim = transit.take("g", id, after, owner)
    assert isinstance(decided, Begin), decided
    assert claim is not None
    return claim


def _end(transit: Transit, claim: Claim, outcome: object, due: int = 0) -> str | None:
    closing = Closing(claim.id, claim.fence, outcome, due=due)  # type: ignore[arg-type]
    return transit.record("g", closing)


def test_a_copy_is_begun_once_and_who_asks_twice_is_told_the_same(transit: Transit) -> None:
    id = _accept(transit)
    assert _begun(transit, id).fence == 1
    assert transit.take("g", id, 0, "a")[0] == Repeat(1)
    assert transit.take("g", id, 0, "b")[0] == Elsewhere(1, "a")


def test_a_group_cannot_claim_or_end_the_jobs_of_another(transit: Transit) -> None:
    id = _accept(transit)
    assert transit.take("other", id, 0, "a")[0] == Unknown()
    claim = _begun(transit, id)
    with pytest.raises(KeyError):
        transit.record("other", Closing(id, claim.fence, Done(b"forged")))
    assert transit.store.result(id) is None


def test_the_next_attempt_waits_for_word_of_the_last(transit: Transit, clock: Clock) -> None:
    id = _accept(transit)
    claim = _begun(transit, id)
    assert transit.take("g", id, 1, "b")[0] == Pending(1, "a")
    assert _end(transit, claim, Failed("error", "no"), due=clock.now + 70) == "scheduled"
    known = transit.store.job(id)
    assert known is not None
    assert (known.run_at, known.failures) == (clock.now + 70, 1)
    assert transit.take("g", id, 0, "b")[0] == Over("stale")
    assert _begun(transit, id, 1, "b").fence == 2


def test_what_is_done_is_recorded_once_and_copies_that_come_later_are_let_go(transit: Transit) -> None:
    id = _accept(transit)
    claim = _begun(transit, id)
    assert _end(transit, claim, Done(b"r")) == "done"
    assert _end(transit, claim, Done(b"twice")) is None
    assert transit.take("g", id, 0, "b")[0] == Over("done")
    assert transit.store.result(id) == b"r"


def test_word_that_comes_before_its_job_is_kept_for_it(transit: Transit) -> None:
    job = NewJob("g", "t", b"a")
    with pytest.raises(KeyError):
        transit.record("g", Closing(job.id, 1, Done(b"r")))
    transit.keep_early(job.id, 1, b"word")
    assert transit.accept([Accepted(job, True)]) == [b"word"]
    assert transit.accept([Accepted(job, True)]) == []


def test_an_attempt_that_was_begun_without_the_store_counts(transit: Transit) -> None:
    id = _accept(transit)
    assert transit.record("g", Closing(id, 1, Done(b"r"))) == "done"
    assert transit.store.result(id) == b"r"
    assert len(transit.store.attempts(id)) == 1


def test_the_path_of_a_file_on_another_machine_is_never_taken(transit: Transit, tmp_path: Path) -> None:
    transit.store.beside.share(Depot(str(tmp_path)), transit.store.id)
    id = _accept(transit)
    claim = _begun(transit, id)
    assert _end(transit, claim, Done(b"", "/etc/passwd")) == "dead"
    assert "that the hub does not see, '/etc/passwd'" in transit.store.attempts(id)[0].error
    assert transit.store.result(id) is None


def test_what_is_queued_is_not_published_and_what_is_for_later_is_when_it_is_due(
    transit: Transit, clock: Clock
) -> None:
    _accept(transit)
    later = _accept(transit, NewJob("g", "t", b"l", run_at=clock.now + 100), queued=False)
    assert transit.outgoing() == []
    assert transit.next_due() == clock.now + 100
    clock.now += 100
    assert [each.job.id for each in transit.outgoing()] == [later]
    transit.published([later])
    assert transit.outgoing() == []
    assert _begun(transit, later).args == b""


def test_what_is_put_back_is_published_and_a_late_submission_does_not_stop_that(transit: Transit) -> None:
    job = NewJob("g", "t", b"a", rules=Rules(max_failures=0))
    _accept(transit, job)
    assert _end(transit, _begun(transit, job.id), Failed("error", "no")) == "dead"
    assert transit.store.requeue([job.id]) == [job.id]
    _accept(transit, job)  # the broker delivers it once more
    (back,) = transit.outgoing()
    assert (back.job.id, back.fence, back.failures) == (job.id, 1, 0)
    assert transit.take("g", job.id, 0, "a")[0] == Over("stale")
    assert _begun(transit, job.id, back.fence).fence == 2


def test_a_cancelled_one_is_not_published(transit: Transit, clock: Clock) -> None:
    id = _accept(transit, NewJob("g", "t", b"", run_at=clock.now + 5), queued=False)
    transit.store.cancel(id)
    clock.now += 5
    assert transit.outgoing() == []
    assert transit.take("g", id, 0, "a")[0] == Over("cancelled")


def test_one_whose_key_is_live_is_stood_for_and_its_copy_let_go(transit: Transit) -> None:
    first = _accept(transit, NewJob("g", "t", b"", unique="k"))
    second = _accept(transit, NewJob("g", "t", b"", unique="k"))
    assert (transit.stands_for(first), transit.stands_for(second)) == (first, first)
    assert isinstance(transit.take("g", second, 0, "a")[0], Over)


def test_who_is_lost_costs_one_failure_and_the_next_attempt_is_published(
    transit: Transit, clock: Clock
) -> None:
    id = _accept(transit)
    claim = _begun(transit, id)
    due = transit.fail(id, claim.fence, "killed")
    assert due == clock.now + 1000
    transit.post(id, due)
    clock.now += 1000
    (again,) = transit.outgoing()
    assert (again.fence, again.failures) == (1, 1)
    assert _end(transit, claim, Done(b"late")) is None
    assert transit.fail(id, claim.fence, "again") is None


def test_what_nobody_could_read_is_among_the_dead_with_its_bytes(transit: Transit) -> None:
    id = transit.bury(Letter("g", b"\xff\x00raw", "no header ps-task"))
    known = transit.store.job(id)
    assert known is not None
    assert (known.state, known.cause) == ("dead", "no header ps-task")
    assert transit.store.arguments(id) == b"\xff\x00raw"


def test_what_the_broker_gives_up_fails_once_and_is_published_again_until_it_is_dead(
    transit: Transit, clock: Clock
) -> None:
    job = NewJob("g", "t", b"a", rules=Rules(max_failures=1))
    transit.come_back(job, 0, "too often")
    transit.come_back(job, 0, "too often")  # the same copy
    clock.now += 10_000
    (again,) = transit.outgoing()
    assert (again.fence, again.failures) == (1, 1)
    transit.published([job.id])
    transit.come_back(job, 1, "too often")
    known = transit.store.job(job.id)
    assert known is not None
    assert (known.state, known.failures) == ("dead", 2)


def test_what_was_given_back_counts_no_failure(transit: Transit) -> None:
    id = _accept(transit)
    assert _end(transit, _begun(transit, id), Returned(begun=False)) == "ready"
    again = _begun(transit, id, 1)
    assert (again.failures, again.preemptions) == (0, 0)


places = st.builds(
    Place,
    st.just("g"),
    st.sampled_from(["ready", "scheduled", "running", "done", "dead"]),
    st.integers(0, 9),
    st.sampled_from("ab"),
)


@given(places, st.integers(0, 9))
def test_no_copy_of_an_earlier_attempt_begins_a_job(place: Place, after: int) -> None:
    decided = admit(place, "g", after, "a")
    if isinstance(decided, Begin):
        assert decided.fence == after + 1 > place.fence
        assert place.state in {"ready", "scheduled"}
    if after < place.fence - 1 or place.state in {"done", "dead"}:
        assert isinstance(decided, Over)


def test_one_that_waits_for_another_is_published_when_that_is_done(transit: Transit, clock: Clock) -> None:
    head = NewJob("g", "t", b"a")
    tail = NewJob("g", "f", packed([[], {}, ["", False]]), needs=[head.id])
    transit.store.submit([head, tail])
    assert [each.job.id for each in transit.outgoing()] == [head.id]
    transit.published([head.id])
    assert _end(transit, _begun(transit, head.id), Done(packed(7))) == "done"
    (outgoing,) = transit.outgoing()
    assert (outgoing.job.id, call(outgoing.job.args)) == (tail.id, ([7], {}))
    transit.published([tail.id])
    assert transit.next_due() is None


def test_the_ticks_of_a_schedule_are_published_when_they_are_due(transit: Transit, clock: Clock) -> None:
    clock.now = clock.now // 1000 * 1000
    each = Scheduled("g", "t", Schedule(every=1000), packed([[], {}]))

    def plan() -> None:
        timetable.plan(transit.store, ["g"], clock.now, moves=False)

    timetable.declare(transit.store, ["g"], [each], clock.now)
    for tick in range(1, 4):
        plan()
        assert transit.next_due() == clock.now + 1000
        clock.now += 1000
        plan()
        (outgoing,) = transit.outgoing()
        assert outgoing.job.id == each.job(clock.now).id
        transit.published([outgoing.job.id])
        plan()
        assert transit.outgoing() == []
        assert _end(transit, _begun(transit, outgoing.job.id), Done()) == "done", tick
    plan()
    timetable.declare(transit.store, ["g"], [], clock.now)
    assert transit.next_due() is None
