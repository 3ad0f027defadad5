"""What is over goes in time, with all that lies beside it; what is dead stays."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.config.file import nearest_file
from penstock.config.tasks import keeping
from penstock.errors import UserError
from penstock.tasks import retention
from penstock.tasks.files import Files, read
from penstock.tasks.home import Home
from penstock.tasks.job import NewJob
from penstock.tasks.keeping import DAY, Keeping
from penstock.tasks.retention import FEW
from penstock.tasks.schema import attempting, writing
from penstock.tasks.settle import Closing, Done, Failed, Outcome
from penstock.tasks.store import Store


class Clock:
    """Milliseconds, put forward by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000 * DAY

    def __call__(self) -> int:
        return self.now


def ended(store: Store, outcome: Outcome, count: int = 1) -> list[str]:
    """Jobs that have come to that."""
    ids = store.submit([NewJob(group="g", task="t", args=b"") for _ in range(count)])
    fences = {claim.id: claim.fence for claim in store.claim("w", "g", count)}
    store.close_attempts([Closing(id, fences[id], outcome, log="") for id in ids])
    return ids


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from(["done", "dead"]), st.integers(0, 3)), max_size=15),
    st.integers(0, 10),
    st.integers(0, 20),
)
def test_the_last_that_ended_are_kept_and_all_dead_ones(
    lives: list[tuple[str, int]], days: int, jobs: int
) -> None:
    clock = Clock()
    store = Store(":memory:", now=clock)
    done, dead = [], []
    for how, pause in lives:
        clock.now += pause * DAY
        if how == "done":
            done += [(id, clock.now) for id in ended(store, Done())]
        else:
            dead += ended(store, Failed("rejected", "no"))
    clock.now += 1
    retention.tidy(store, Keeping(days * DAY, jobs), clock.now)
    young = [id for id, at in done if at >= clock.now - days * DAY]
    kept = {job.id for job in store.jobs()}
    assert kept == {*dead, *(young[-jobs:] if jobs else [])}
    store.close()


def test_many_go_a_few_at_a_time() -> None:
    clock = Clock()
    store = Store(":memory:", now=clock)
    ended(store, Done(), FEW + 10)
    assert retention.tidy(store, Keeping(jobs=0), clock.now) == FEW
    assert retention.tidy(store, Keeping(jobs=0), clock.now) == 10
    assert retention.tidy(store, Keeping(jobs=0), clock.now) == 0
    store.close()


def test_all_that_lies_beside_goes_with_a_job(tmp_path: Path) -> None:
    home = Home(str(tmp_path / "jobs.db"))
    store = Store(home.store)
    (id,) = store.submit([NewJob(group="g", task="t", args=b"x" * 100_000)])
    (claim,) = store.claim("w", "g")
    log, out = Path(home.log(id, claim.fence)), Path(home.out(id))
    log.parent.mkdir()
    log.write_text("hello")
    out.mkdir(parents=True)
    (out / "model").write_text("weights")
    store.close_attempts([Closing(id, claim.fence, Done(b"y" * 100_000), log=str(log))])
    assert store.remove([id]) == [id]
    assert [path for path in (tmp_path / "jobs").rglob("*") if not path.is_dir() or path == out] == []
    store.close()


@pytest.mark.parametrize("way", ["remove", "amend"])
def test_no_file_goes_before_the_whole_is_on_disk(tmp_path: Path, way: str) -> None:
    clock, large = Clock(), b"x" * 100_000
    store = Store(str(tmp_path / "jobs.db"), now=clock)
    (id,) = store.submit([NewJob(group="g", task="t", args=large)])
    (claim,) = store.claim("w", "g")
    store.close_attempts([Closing(id, claim.fence, Failed("rejected", "no"))])
    (first,) = (tmp_path / "jobs" / "files").iterdir()

    def act() -> None:
        clock.now += 1
        assert store.remove([id]) if way == "remove" else store.amend(id, b"y" * 100_000)

    with suppress(OSError), writing(store.db):
        act()
        raise OSError("the disk is full")
    assert store.arguments(id) == large
    with writing(store.db), suppress(OSError), attempting(store.db):
        act()
        raise OSError("a part has failed")
    assert store.arguments(id) == large
    with writing(store.db):
        act()
        assert first.exists()
    assert not first.exists()
    store.close()


def test_who_amends_a_job_too_late_takes_nothing_from_who_was_first(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "jobs.db"), now=Clock())
    (id,) = store.submit([NewJob(group="g", task="t", args=b"x")])
    store.cancel(id)
    assert store.amend(id, b"y" * 100_000)
    assert not store.amend(id, b"z" * 100_000), "in the same millisecond"
    assert store.arguments(id) == b"y" * 100_000
    store.close()


def test_what_belongs_to_nobody_is_swept_when_it_is_old_and_nothing_else(tmp_path: Path) -> None:
    home, clock = Home(str(tmp_path / "jobs.db")), Clock()
    store = Store(home.store, now=clock)
    (id,) = store.submit([NewJob(group="g", task="t", args=b"x" * 100_000)])
    strange = [home.log("gone", 1), os.path.join(home.files, "gone.args"), home.draft("gone", 1)]
    mine = [home.log(id, 1), home.out("gone")]
    for path in strange + mine:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.basename(path).startswith(".") or path == home.out("gone"):
            os.mkdir(path)
        else:
            Path(path).write_text("")
    written = int(os.stat(strange[0]).st_mtime * 1000)
    assert retention.sweep(store, home, written + 1000) == 0, "they may be just being written"
    assert retention.sweep(store, home, written + 2 * DAY) == 3
    assert not any(map(os.path.exists, strange))
    assert all(map(os.path.exists, mine))
    assert store.arguments(id) == b"x" * 100_000
    store.close()


def test_penstock_toml_says_how_long(tmp_path: Path) -> None:
    def said(text: str) -> Keeping:
        (tmp_path / "penstock.toml").write_text("[tasks]\n" + text)
        file = nearest_file(str(tmp_path))
        assert file is not None
        return keeping(file)

    assert said('keep = "7d"\nkeep_jobs = 5') == Keeping(7 * DAY, 5)
    assert said("") == Keeping(30 * DAY, 100_000)
    with pytest.raises(UserError, match=r"penstock.toml:2: keep=7: 7 is not a time; .* did you mean '7s'"):
        said("keep = 7")
    with pytest.raises(UserError, match="keep_jobs='many': must be a number of jobs"):
        said('keep_jobs = "many"')


def test_logs_of_jobs_whose_store_is_elsewhere_go_when_they_are_old(tmp_path: Path) -> None:
    home = Home(str(tmp_path / "jobs.db"))
    log, out = Path(home.log("gone", 1)), Path(home.out("gone"))
    log.parent.mkdir(parents=True)
    log.write_text("hello")
    out.mkdir(parents=True)
    draft, result = Path(home.draft("gone", 1)), Path(home.files, "gone.1.result")
    shared = Path(home.files, "part", "gone.2.result")
    draft.mkdir()
    shared.parent.mkdir(parents=True)
    result.write_text("large")
    shared.write_text("large")
    written = int(log.stat().st_mtime * 1000)
    keeping = Keeping(age=7 * DAY)
    assert retention.sweep_apart(home, keeping, written + 7 * DAY) == 0
    Path(home.store).touch()
    assert retention.sweep_apart(home, keeping, written + 9 * DAY) == 0, "who keeps the store sees to it"
    Path(home.store).unlink()
    assert retention.sweep_apart(home, keeping, written + 9 * DAY) == 3
    assert out.exists() and shared.exists()
    assert not any(path.exists() for path in (log, draft, result))


def test_a_file_that_may_not_be_removed_keeps_nobody_from_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path / "jobs.db"))
    ids = store.submit([NewJob(group="g", task="t", args=b"x" * 100_000) for _ in range(2)])
    first, second = (Path(store.beside.folder, f"{id}.args") for id in ids)
    unlink = os.unlink

    def refusing(path: str) -> None:
        if path == str(first):
            raise PermissionError(13, "Permission denied", path)
        unlink(path)

    monkeypatch.setattr(os, "unlink", refusing)
    for id in ids:
        store.cancel(id)
    assert retention.tidy(store, Keeping(jobs=0), store._now() + 1) == 2
    assert first.exists() and not second.exists()
    store.close()


def test_a_file_system_that_syncs_no_folders_takes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def files_only(fd: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(22, "Invalid argument")
        sync(fd)

    monkeypatch.setattr(os, "fsync", files_only)
    files = Files(str(tmp_path / "files"))
    assert read(files.put("a", b"some")) == b"some"
    (tmp_path / "b").write_bytes(b"more")
    assert read(files.take_in("b", str(tmp_path / "b"))) == b"more"
    assert sorted(os.listdir(files.folder)) == ["a", "b"]
