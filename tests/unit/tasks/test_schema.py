"""The file of a store: made when it is first asked for, and refused when it is something else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import EnvironmentFault
from penstock.tasks import schema
from penstock.tasks.job import NewJob
from penstock.tasks.settle import Closing, Done
from penstock.tasks.store import Store


def test_it_is_made_with_its_folder_and_only_we_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "app" / ".penstock" / "jobs.db"
    Store(str(path)).close()
    assert path.parent.stat().st_mode & 0o077 == 0
    Store(str(path)).close()


def test_what_is_no_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_text("dear diary, " * 1000)
    with pytest.raises(EnvironmentFault, match=r"jobs\.db, cannot be opened: file is not a database"):
        Store(str(path))
    assert path.read_text().startswith("dear diary")


def test_a_newer_store_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    Store(str(path)).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={schema.VERSION + 1}")
    db.close()
    said = f"of version {schema.VERSION + 1}, and this penstock knows {schema.VERSION}; use"
    with pytest.raises(EnvironmentFault, match=said):
        Store(str(path))


@pytest.mark.parametrize("version", range(1, schema.VERSION))
def test_an_older_store_takes_the_steps_it_has_not_taken_and_keeps_its_jobs(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "jobs.db"
    with sqlite3.connect(path) as db:
        db.executescript("".join(schema.STEPS[:version]))
        db.execute(f"PRAGMA user_version={version}")
        db.execute(
            "INSERT INTO job(id, grp, task, state, run_at, submitted_at, args, rules)"
            " VALUES ('x', 'gpu', 'train', 'ready', 0, 0, '', x'80')"
        )
    db.close()
    Store(str(tmp_path / "new.db")).close()
    old, new = Store(str(path)), Store(str(tmp_path / "new.db"))
    assert [job.id for job in old.jobs()] == ["x"]
    tables = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert old.db.execute(tables).fetchall() == new.db.execute(tables).fetchall()
    old.close()
    new.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match=r"file/jobs\.db, cannot be opened"):
        Store(str(tmp_path / "file" / "jobs.db"))


def test_a_claim_steps_over_nothing_however_much_is_finished_or_to_come(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "jobs.db"))
    from penstock.tasks import statements

    plan = store._db.execute("EXPLAIN QUERY PLAN " + statements.CLAIM, ("w", 0, "g", 0, 1, "g")).fetchall()
    assert any("job_ready (grp=?)" in row[-1] for row in plan), plan
    assert not any(row[-1].startswith("SCAN job") for row in plan), plan
    store.close()


def test_the_number_of_a_job_that_is_gone_is_never_given_again(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "jobs.db"))
    ids = store.submit([NewJob("g", "t", b"") for _ in range(3)])
    for claim in store.claim("w", "g", 3):
        store.close_attempts([Closing(claim.id, claim.fence, Done(b""))])
    assert store.remove(ids[1:]) == ids[1:]
    store.close()
    store = Store(str(tmp_path / "jobs.db"))
    (id,) = store.submit([NewJob("g", "t", b"")])
    assert [row.seq for row in store.jobs()] == [4, 1]
    assert store.submit([NewJob("g", "t", b"", id=id)]) == [id]
    assert [row.seq for row in store.jobs()] == [4, 1]
    store.close()


STEPS = st.tuples(st.sampled_from(["submit", "begin", "end", "remove"]), st.integers(1, 70))


@settings(max_examples=40)
@given(st.lists(STEPS, max_size=12))
def test_there_are_as_many_jobs_of_each_state_as_are_said_to_be(steps: list[tuple[str, int]]) -> None:
    store, claims, over = Store(":memory:"), [], []
    for act, count in steps:
        if act == "submit":
            store.submit([NewJob("ab"[at % 2], "t", b"") for at in range(count)])
        elif act == "begin":
            claims += store.claim("w", "a", count)
        elif act == "end":
            ended, claims = claims[:count], claims[count:]
            store.close_attempts([Closing(each.id, each.fence, Done(b"")) for each in ended])
            over += [each.id for each in ended]
        else:
            gone, over = over[:count], over[count:]
            store.remove(gone)
    found = {(group, state): n for group, each in store.depths().items() for state, n in each.items() if n}
    counted = store.db.execute("SELECT grp, state, COUNT(*) FROM job GROUP BY grp, state").fetchall()
    assert found == {(group, state): n for group, state, n in counted}
    store.close()
