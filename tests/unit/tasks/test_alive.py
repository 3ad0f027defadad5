"""Supervisors: the living keep their jobs, and the dead give them back at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from penstock.tasks import alive
from penstock.tasks.alive import Presence
from penstock.tasks.job import NewJob, Rules
from penstock.tasks.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(str(tmp_path / "jobs.db"))) as made:
        yield made


@pytest.fixture
def presence(tmp_path: Path) -> Iterator[Presence]:
    with closing(Presence(str(tmp_path / "locks"))) as made:
        yield made


def _running(store: Store, owner: str, *, max_failures: int = 3) -> str:
    rules = Rules(max_failures=max_failures)
    (id,) = store.submit([NewJob(group="g", task="t", args=b"", rules=rules)])
    (claim,) = store.claim(owner, "g")
    assert claim.id == id
    return id


def _die(presence: Presence) -> None:
    """As the kernel has it: the lock is free, and nothing else has changed."""
    os.close(presence._lock)
    presence._lock = -1


def test_a_living_supervisor_keeps_its_jobs(store: Store, presence: Presence) -> None:
    presence.announce(store, ["g"], 1)
    id = _running(store, presence.id)
    assert alive.dead(store) == []
    assert alive.bury(store, []) == []
    job = store.job(id)
    assert job is not None
    assert job.state == "running"


def test_what_a_dead_one_had_in_hand_has_failed_once_and_waits(
    store: Store, presence: Presence, tmp_path: Path
) -> None:
    presence.announce(store, ["g"], 1)
    id = _running(store, presence.id)
    _die(presence)
    assert alive.dead(store) == [presence.id]
    assert [orphan.id for orphan in alive.bury(store, alive.dead(store))] == [id]
    job = store.job(id)
    assert job is not None
    assert (job.state, job.failures, job.cause) == ("scheduled", 1, alive.CAUSE)
    assert alive.dead(store) == []
    assert not list((tmp_path / "locks").iterdir())


def test_two_who_find_the_same_dead_one_bury_it_once(store: Store, presence: Presence) -> None:
    presence.announce(store, ["g"], 1)
    id = _running(store, presence.id)
    _die(presence)
    with closing(Store(store.path)) as other:
        found = alive.dead(store), alive.dead(other)
        assert found == ([presence.id], [presence.id])
        assert len(alive.bury(store, found[0])) + len(alive.bury(other, found[1])) == 1
    job = store.job(id)
    assert job is not None
    assert job.failures == 1


def test_who_leaves_is_not_taken_for_dead(store: Store, presence: Presence, tmp_path: Path) -> None:
    presence.announce(store, ["g", "h"], 2)
    assert alive.neighbours(store, presence) == []
    with closing(Presence(str(tmp_path / "locks"))) as other:
        assert alive.neighbours(store, other) == [os.getpid()]
    presence.leave(store)
    assert alive.dead(store) == []
    assert set(store.groups()) == {"g", "h"}
