"""The settler: what the broker has no queue for waits, and keeps nobody else."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from penstock.errors import Unroutable
from penstock.rabbitmq import talk
from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.talk import Report
from penstock.runtime.jobs.book import Close
from penstock.runtime.jobs.settler import Hand, Settler
from penstock.tasks.home import Home
from penstock.tasks.job import Claim, NewJob, Rules, new_id
from penstock.tasks.settle import Closing, Done, Failed
from penstock.tasks.store import Word

A, B, C = new_id(), new_id(), new_id()


class Broker:
    """Takes what a settler says, or has no queue for it."""

    def __init__(self, home: Home, *ids: str) -> None:
        self.lacks: set[str] = set()
        """Kinds of messages, and `copy`."""
        self.reported: list[tuple[str, str]] = []
        """The kinds of words, and of which job."""
        self.refused = 0
        self.copies: list[str] = []
        self.over: dict[str, str | None] = {}
        self.gate: asyncio.Event | None = None
        rules = Rules(backoff=1.5)
        hands = {
            id: Hand(
                Claim(id, 1, "g", "t", 1, b"", "", rules, 0, 0),
                Letter(NewJob("g", "t", b"", id=id, rules=rules), 0),
            )
            for id in ids
        }
        self.settler = Settler(
            hands,
            sender="g.1",
            host="host",
            home=home,
            post=self._post,
            report=self._report,
            let_go=lambda _: None,
        )
        self._work = asyncio.ensure_future(self.settler.work())

    async def close(self) -> None:
        self._work.cancel()
        with suppress(asyncio.CancelledError):
            await self._work

    def end(self, id: str, outcome: Done | Failed) -> None:
        self.settler.close(Close(Closing(id, 1, outcome), functools.partial(self.over.__setitem__, id)))

    async def _post(self, letter: Letter) -> None:
        if "copy" in self.lacks:
            raise Unroutable("no queue")
        self.copies.append(letter.job.id)

    async def _report(self, group: str, kind: str, body: bytes) -> None:
        if kind in self.lacks:
            self.refused += 1
            raise Unroutable("no queue")
        self.reported += [(kind, word.id) for word in talk.decode(body, Report).words]
        if self.gate is not None:
            await self.gate.wait()


async def _until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110  what is looked at has no event
            await asyncio.sleep(0.005)


def test_a_job_that_cannot_be_put_back_waits_for_its_queue_and_others_are_settled(tmp_path: Path) -> None:
    async def run() -> None:
        broker = Broker(Home(str(tmp_path / "jobs.db")), A, B, C)
        broker.lacks = {"copy"}
        broker.end(A, Failed("error", "boom"))
        broker.end(B, Done(b""))
        await _until(lambda: B in broker.over)
        broker.end(C, Done(b""))
        await _until(lambda: C in broker.over)
        assert A not in broker.over
        await broker.settler.through()  # nobody who leaves waits for what the broker does not take
        broker.lacks = {talk.SETTLED}
        await _until(lambda: broker.copies)
        broker.lacks = set()
        await _until(lambda: A in broker.over)
        assert (broker.over[A], broker.copies) == ("scheduled", [A])
        await broker.close()

    asyncio.run(run())


def test_what_is_saved_while_a_report_is_under_way_is_reported_though_nothing_else_is_said(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        broker = Broker(Home(str(tmp_path / "jobs.db")), A, B)
        broker.gate = asyncio.Event()
        broker.settler.say(Word(A, 1, 0.5))
        await _until(lambda: broker.reported)
        broker.settler.say(Word(B, 1, resume_uri="/saved", resume_step=5))
        broker.gate.set()
        await _until(lambda: (talk.CHECKPOINT, B) in broker.reported)
        await broker.close()

    asyncio.run(run())


def test_what_is_saved_while_there_is_no_queue_for_it_is_reported_later(tmp_path: Path) -> None:
    async def run() -> None:
        broker = Broker(Home(str(tmp_path / "jobs.db")), A)
        broker.lacks = {talk.CHECKPOINT}
        broker.settler.say(Word(A, 1, resume_uri="/saved", resume_step=5))
        await _until(lambda: broker.refused)
        broker.lacks = set()
        await _until(lambda: (talk.CHECKPOINT, A) in broker.reported)
        await broker.close()

    asyncio.run(run())
