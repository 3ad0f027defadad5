"""The clerk: what waits is one transaction, a disk that is full is waited for, and answers are never lost."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from penstock.runtime.jobs import clerk
from penstock.runtime.jobs.book import Answer, Book, Close, Look, Request, Wish
from penstock.runtime.jobs.clerk import Clerk
from penstock.runtime.jobs.employer import Employer
from penstock.tasks.home import Home
from penstock.tasks.job import Claim, NewJob
from penstock.tasks.settle import Closing, Done
from penstock.tasks.store import Store


def _clerk(home: Home, troubles: list[str]) -> Clerk:
    employer = Employer(
        home,
        groups={"g": 1},
        run_base=str(Path(home.store).parent),
        on_change=lambda: None,
        on_trouble=troubles.append,
    )
    return Clerk(employer, asyncio.get_running_loop())


async def _asked(clerk: Clerk, make: Any) -> Any:
    """The answer to one request."""
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    clerk.ask(make(answer.set_result))
    return await answer


def test_a_job_is_claimed_closed_and_nobody_is_left_behind(tmp_path: Path) -> None:
    home = Home(str(tmp_path / "jobs.db"))

    async def run() -> str:
        with closing(Store(home.store)) as store:
            (id,) = store.submit([NewJob(group="g", task="t", args=b"")])
            it = _clerk(home, [])
            claims: list[Claim] = await _asked(it, lambda then: Wish("g", 5, 0, then))
            assert [each.id for each in claims] == [id]
            end = Closing(id, claims[0].fence, Done(b"r"))
            assert await _asked(it, lambda then: Close(end, then)) == "done"
            assert await _asked(it, lambda then: Close(end, then)) is None
            assert (await _asked(it, Look)).ending == []
            await it.close()
            assert store.result(id) == b"r"
            return str(store.db.execute("SELECT COUNT(*) FROM worker").fetchone()[0])

    assert asyncio.run(run()) == "0"
    assert not list(Path(home.locks).iterdir())


def test_what_cannot_be_written_now_is_written_later_and_people_hear_of_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, troubles, serve = Home(str(tmp_path / "jobs.db")), list[str](), Book.serve
    failures = iter(range(3))

    def full(book: Book, batch: list[Request]) -> list[Answer]:
        if next(failures, None) is not None:
            raise sqlite3.OperationalError("database or disk is full")
        return serve(book, batch)

    monkeypatch.setattr(Book, "serve", full)
    monkeypatch.setattr(clerk, "PAUSE", 0.0)

    async def run() -> Any:
        it = _clerk(home, troubles)
        found = await _asked(it, lambda then: Wish("g", 1, 0, then))
        await it.close()
        return found

    assert asyncio.run(run()) == []
    assert troubles == ["the store of jobs cannot be written: database or disk is full"]


def test_what_no_patience_mends_is_told_to_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(book: Book, batch: list[Request]) -> list[Answer]:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(Book, "serve", broken)

    async def run() -> str:
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: heard.set_result(str(context["exception"]))
        )
        it = _clerk(Home(str(tmp_path / "jobs.db")), [])
        it.ask(Look(lambda _: None))
        found = await heard
        await it.close()
        return found

    assert asyncio.run(run()) == "database disk image is malformed"
