"""The same promises about jobs, whatever keeps them: a store in memory, and one on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.tasks.freight import call, packed, whole
from penstock.tasks.job import Claim, NewJob, Rules, new_id
from penstock.tasks.settle import Closing, Done, Ended, Failed
from penstock.tasks.store import Store, Word


class Clock:
    """Milliseconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Store]:
    path = ":memory:" if request.param == "memory" else str(tmp_path / "jobs.db")
    made = Store(path, now=clock, jitter=lambda: 0.0)
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _job(task: str = "t", **other: Any) -> NewJob:
    return NewJob(group="g", task=task, args=b"a", **other)


def _claim(store: Store, limit: int = 1) -> list[Claim]:
    return store.claim("w", "g", limit)


def _close(store: Store, claim: Claim, outcome: Any) -> str | None:
    return store.close_attempts([Closing(claim.id, claim.fence, outcome, worker="w")])[0]


def test_higher_priorities_first_then_the_oldest(store: Store) -> None:
    store.submit([_job("a"), _job("b", priority=1), _job("c"), _job("d", priority=1)])
    assert [claim.task for claim in _claim(store, 3)] == ["b", "d", "a"]
    assert [claim.task for claim in _claim(store, 3)] == ["c"]


def test_nothing_is_begun_before_its_time(store: Store, clock: Clock) -> None:
    store.submit([_job(run_at=clock.now + 1000)])
    assert not _claim(store)
    assert store.next_due() == clock.now + 1000
    clock.now += 1000
    assert len(_claim(store)) == 1
    assert store.next_due() is None


def test_a_clock_that_jumps_back_makes_jobs_late_and_loses_none(store: Store, clock: Clock) -> None:
    store.submit([_job()])
    clock.now -= 3_600_000
    assert len(_claim(store)) == 1


def test_only_the_attempt_that_runs_can_write(store: Store, clock: Clock) -> None:
    (id,) = store.submit([_job()])
    (old,) = _claim(store)
    assert _close(store, old, Failed("crash", "killed")) == "scheduled"
    clock.now += 60_000
    (new,) = _claim(store)
    assert (old.fence, new.fence) == (1, 2)
    assert store.note([Word(id, old.fence, 0.9)]) == [id]
    assert _close(store, old, Done(b"late")) is None
    assert _close(store, new, Done(b"now")) == "done"
    assert _close(store, new, Done(b"twice")) is None
    assert store.result(id) == b"now"


def test_a_key_is_live_once_and_free_again_afterwards(store: Store) -> None:
    (first,) = store.submit([_job(unique="k")])
    assert store.submit([_job(unique="k"), _job(unique="other")])[0] == first
    assert _close(store, _claim(store)[0], Done()) == "done"
    assert store.submit([_job(unique="k")]) != [first]


def test_one_submitted_twice_is_there_once(store: Store) -> None:
    job = _job()
    assert store.submit([job, job]) == [job.id, job.id]
    assert len(_claim(store, 5)) == 1


def test_a_dead_one_does_not_come_back_beside_another_with_its_key(store: Store) -> None:
    (dead,) = store.submit([_job(unique="k")])
    _close(store, _claim(store)[0], Failed("rejected", "no"))
    store.submit([_job(unique="k")])
    assert store.requeue([dead]) == []
    assert store.job(dead).state == "dead"  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [3, 200_000], ids=["in the store", "beside it"])
def test_a_dead_one_is_put_back_with_other_arguments(store: Store, size: int) -> None:
    (id,) = store.submit([NewJob(group="g", task="t", args=b"a" * 100_000)])
    assert not store.amend(id, b"no"), "it waits, as it is"
    _close(store, _claim(store)[0], Failed("rejected", "no such file"))
    assert store.amend(id, b"b" * size)
    (claim,) = _claim(store)
    assert (claim.id, claim.failures) == (id, 0)
    assert store.arguments(id) == b"b" * size


def test_it_is_cancelled_in_every_state(store: Store, clock: Clock) -> None:
    waiting, later, running, done = store.submit(
        [
            _job("waits"),
            _job("later", run_at=clock.now + 9),
            _job("runs", priority=2),
            _job("is done", priority=3),
        ]
    )
    _close(store, _claim(store)[0], Done())
    (claim,) = _claim(store)
    assert claim.id == running
    states = [store.cancel(id) for id in (waiting, later, running, done)]
    assert states == ["cancelled", "cancelled", "running", "done"]
    assert store.cancel("nobody") is None
    assert store.note([Word(running, claim.fence, 0.5)]) == [running]
    assert _close(store, claim, Ended()) == "cancelled"
    clock.now += 100_000
    assert not _claim(store, 9)


def test_a_group_that_is_paused_has_nothing_begun(store: Store) -> None:
    store.submit([_job()])
    store.pause("g", "its jobs kill every worker")
    assert not _claim(store)
    assert store.groups() == {"g": "its jobs kill every worker"}
    store.resume("g")
    assert len(_claim(store)) == 1


def test_what_needs_more_devices_than_are_free_is_passed_over(store: Store) -> None:
    store.submit([_job("large", rules=Rules(gpus=2)), _job("small", rules=Rules(gpus=1))])
    assert [claim.task for claim in store.claim("w", "g", 5, gpus=1)] == ["small"]


def test_the_next_attempt_is_told_where_the_last_one_was(store: Store, clock: Clock) -> None:
    (id,) = store.submit([_job()])
    (claim,) = _claim(store)
    assert (
        store.note([Word(id, claim.fence, 0.5, {"loss": 0.1}, "file:///c", 7), Word(id, claim.fence, 0.6)])
        == []
    )
    known = store.job(id)
    assert known is not None and (known.progress, known.numbers) == (0.6, {"loss": 0.1})
    _close(store, claim, Failed("crash", "killed (SIGKILL)"))
    clock.now += 10_000
    (again,) = _claim(store)
    assert (again.resume_uri, again.resume_step, again.failures) == ("file:///c", 7, 1)


def test_what_is_finished_is_forgotten_and_dead_ones_never(store: Store, clock: Clock) -> None:
    done, dead = store.submit([_job(), _job()])
    first, second = _claim(store, 2)
    _close(store, first, Done(b"r"))
    _close(store, second, Failed("rejected", "no"))
    clock.now += 1
    assert store.forget(before=clock.now) == 1
    assert store.job(done) is None
    assert store.attempts(done) == []
    assert store.job(dead) is not None
    assert len(store.attempts(dead)) == 1


def _follower(*needs: NewJob, **other: Any) -> NewJob:
    return _job("f", needs=[each.id for each in needs], **{"id": new_id(), **other})


def test_one_that_needs_others_waits_until_all_are_done_and_has_their_results(store: Store) -> None:
    first, second = _job(), _job()
    last = NewJob("g", "f", packed([["own"], {}, ["", True]]), needs=[first.id, second.id])
    store.submit([first, second, last])
    one, two = _claim(store, 9)
    assert store.job(last.id).after == [1, 2]  # type: ignore[union-attr]
    assert store.next_due() is None
    assert _close(store, two, Done(packed("b"))) == "done"
    assert not _claim(store, 9)
    assert _close(store, one, Done(packed(["a"] * 50_000))) == "done"
    assert store.needs.has_released
    (claim,) = _claim(store, 9)
    assert call(whole(claim.args, claim.args_path)) == ([[["a"] * 50_000, "b"], "own"], {})


def test_one_that_needs_what_is_over_already_waits_for_nothing(store: Store) -> None:
    (done,) = store.submit([_job()])
    _close(store, _claim(store)[0], Done(packed(7)))
    (id,) = store.submit([NewJob("g", "f", packed([[], {"b": 2}, ["a", False]]), needs=[done])])
    assert call(_claim(store)[0].args) == ([], {"a": 7, "b": 2})
    assert store.forget(before=2**50) == 1
    assert store.job(id) is not None


def test_what_somebody_needs_is_not_forgotten(store: Store) -> None:
    first, other = _job(), _job(priority=-1)
    store.submit([first, other, _follower(first, other)])
    _close(store, _claim(store)[0], Done())
    assert store.forget(before=2**50) == 0
    assert store.remove([first.id]) == []


def test_who_needs_one_that_is_dead_is_cancelled_with_the_cause_and_waits_again_with_it(
    store: Store,
) -> None:
    head, middle = _job(), _job()
    middle = NewJob("g", "m", b"", needs=[head.id])
    last = _follower(middle)
    store.submit([head, middle, last])
    _close(store, _claim(store)[0], Failed("rejected", "no such file"))
    rows = [store.job(each.id) for each in (head, middle, last)]
    assert [row.state for row in rows if row] == ["dead", "cancelled", "cancelled"]
    assert all(row.cause == "it needs job 1 (t), which is dead: no such file" for row in rows[1:] if row)
    assert store.requeue([middle.id]) == []
    assert store.requeue([head.id]) == [head.id]
    assert [row.state for row in store.jobs()] == ["scheduled", "scheduled", "ready"]
    for _ in range(3):
        assert _close(store, _claim(store)[0], Done()) == "done"


def test_to_cancel_one_is_to_cancel_who_needs_it(store: Store) -> None:
    head = _job()
    tail = _follower(head)
    store.submit([head, tail])
    assert store.cancel(head.id) == "cancelled"
    assert [row.state for row in store.jobs()] == ["cancelled", "cancelled"]
    assert _claim(store) == []


def test_one_that_was_cancelled_itself_is_not_run_when_all_it_needs_is_done(store: Store) -> None:
    head = _job()
    tail = _follower(head)
    store.submit([head, tail])
    store.cancel(tail.id)
    _close(store, _claim(store)[0], Done())
    assert _claim(store) == []
    assert store.requeue([tail.id]) == [tail.id]
    assert [claim.id for claim in _claim(store)] == [tail.id]


def test_a_time_that_was_said_counts_once_the_others_are_done(store: Store, clock: Clock) -> None:
    head = _job()
    store.submit([head, _follower(head, run_at=clock.now + 5000)])
    _close(store, _claim(store)[0], Done())
    assert store.next_due() == clock.now + 5000
    clock.now += 5000
    assert len(_claim(store)) == 1
