"""Whatever a message calls a file, it is one of that job's, and in the folder that all share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.tasks.depot import Depot
from penstock.tasks.home import Home
from penstock.tasks.job import NewJob, new_id
from penstock.tasks.store import Store

STORE = "0123456789abcdef" * 2
JOB, OTHER = new_id(), new_id()
PARTS = st.sampled_from([STORE, JOB, OTHER, "..", ".", "/", "args", "result", ".1", "\n", "\0", "x"])


@given(st.lists(PARTS, max_size=8).map("".join) | st.text())
def test_no_name_leads_anywhere_else(called: str) -> None:
    try:
        path = Depot("/shared").path(called, JOB)
    except ValueError:
        return
    assert os.path.normpath(path) == path
    assert path.startswith(f"/shared/{STORE}/{JOB}.")


def test_a_name_leads_to_the_file_that_was_written(tmp_path: Path) -> None:
    depot = Depot(str(tmp_path))
    assert not depot.is_shared(STORE) and not depot.is_shared("")
    depot.open(STORE)
    assert depot.is_shared(STORE)
    path = depot.path(depot.put(STORE, f"{JOB}.args", b"some"), JOB)
    assert Path(path).read_bytes() == b"some"
    assert depot.path(depot.called(path), JOB) == path
    assert depot.called(str(tmp_path / "elsewhere" / STORE / f"{JOB}.args")) == ""


def test_who_may_use_the_folder_may_use_the_part_of_each_store(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    assert Path(Depot(str(tmp_path)).open(STORE)).stat().st_mode & 0o7777 == 0o2770
    mine = Path(Depot(str(tmp_path / "mine")).open(STORE))
    assert mine.stat().st_mode & 0o077 == 0


def test_what_lies_elsewhere_is_taken_in(tmp_path: Path) -> None:
    depot = Depot(str(tmp_path / "depot"))
    depot.open(STORE)
    (tmp_path / "result").write_bytes(b"some")
    called = depot.take_in(STORE, f"{JOB}.1.result", str(tmp_path / "result"))
    assert Path(depot.path(called, JOB)).read_bytes() == b"some"
    assert not (tmp_path / "result").exists()


def test_a_store_takes_the_file_of_nobody_else(tmp_path: Path) -> None:
    store, depot = Store(str(tmp_path / "jobs.db")), Depot(str(tmp_path / "depot"))
    with pytest.raises(ValueError, match="no files are shared"):
        store.submit([NewJob("g", "t", b"", id=JOB, file=f"{STORE}/{JOB}.args")])
    store.beside.share(depot, store.id)
    other = depot.put(store.id, f"{OTHER}.args", b"x")
    with pytest.raises(ValueError, match="is no file of the job"):
        store.submit([NewJob("g", "t", b"", id=JOB, file=other)])
    assert Path(depot.path(other)).exists()
    store.close()


def test_a_store_removes_no_file_of_another(tmp_path: Path) -> None:
    store, depot = Store(str(tmp_path / "jobs.db")), Depot(str(tmp_path / "depot"))
    store.beside.share(depot, store.id)
    depot.open(STORE)
    files = [depot.put(STORE, f"{JOB}.args", b"x"), depot.put(store.id, f"{OTHER}.args", b"x")]
    ids = store.submit(
        [NewJob("g", "t", b"", id=id, file=file) for id, file in zip((JOB, OTHER), files, strict=True)]
    )
    assert all(store.cancel(id) == "cancelled" for id in ids)
    assert store.remove(ids) == ids
    assert [Path(depot.path(file)).exists() for file in files] == [True, False]
    store.close()


def test_a_depot_that_was_there_and_is_not_mounted_is_not_made_anew(tmp_path: Path) -> None:
    home = Home(str(tmp_path / "jobs.db"), str(tmp_path / "depot"))
    for _ in range(2):
        store = Store(home.store)
        store.beside.share(home.depot, store.id)
        store.close()
    (tmp_path / "depot").rename(tmp_path / "unmounted")
    store = Store(home.store)
    with pytest.raises(FileNotFoundError, match="is its disk mounted"):
        store.beside.share(home.depot, store.id)
    assert not (tmp_path / "depot").exists()
    store.beside.share(Depot(str(tmp_path / "other")), store.id)
    store.close()
