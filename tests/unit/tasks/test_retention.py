"""What is over goes in time, with all that lies beside it; what is dead stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.config.file import nearest_file
from penstock.config.tasks import keeping
from penstock.errors import UserError
from penstock.tasks import retention
from penstock.tasks.home import Home
from penstock.tasks.job import NewJob
from penstock.tasks.retention import DAY, FEW, Keeping
from penstock.tasks.settle import Done, Failed, Outcome
from penstock.tasks.store import Closing, Store


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
