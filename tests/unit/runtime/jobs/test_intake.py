"""The intake: what no worker here can run goes back, and people hear of it once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.policies import LONGEST
from penstock.runtime.jobs.book import Wish
from penstock.runtime.jobs.intake import Copy, Intake
from penstock.tasks.job import NewJob, Rules


class Receipts:
    """Of a channel that is open."""

    alive = True


def _copy(id: str, gpus: int) -> Copy:
    receipts: Any = Receipts()
    return Copy(Letter(NewJob("g", "t", b"", id=id, rules=Rules(gpus=gpus)), 0), receipts, 1)


def test_a_job_that_needs_more_gpus_than_a_worker_has_is_put_back_and_people_hear_of_it_once() -> None:
    asked: list[Copy] = []
    put_off: list[Copy] = []
    troubles: list[str] = []
    intake = Intake(
        "g",
        1,
        came=lambda _: True,
        ask=asked.append,
        put_off=lambda copy, _: put_off.append(copy),
        trouble=troubles.append,
    )
    intake.wish(Wish("g", 3, 1, lambda _: None))
    many, more, one = _copy("a", 2), _copy("b", 2), _copy("c", 1)
    for copy in (many, more, one):
        intake.offer(copy)
    assert (put_off, asked) == ([many, more], [one])
    assert len(troubles) == 1
    assert "needs 2 GPUs, and a worker has 1 here" in troubles[0]


class Line:
    """A channel, and the session that it is of."""

    alive = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.was_asked = asyncio.Event()

    async def channel(self) -> Line:
        return self

    async def leave(self) -> None:
        pass

    async def consume(self, queue: str, take: Any, *, prefetch: int, held: int = 0) -> None:
        self.asked.append((queue, prefetch, held))
        self.was_asked.set()


def test_a_copy_may_be_held_for_as_long_as_a_job_may_take() -> None:
    async def run() -> None:
        line: Any = Line()
        intake = Intake(
            "g", 1, came=lambda _: True, ask=lambda _: None, put_off=lambda *_: None, trouble=lambda _: None
        )
        intake.begin(line)
        intake.wish(Wish("g", 3, 0, lambda _: None))
        async with asyncio.timeout(60):
            await line.was_asked.wait()
        assert line.asked[0][0] == "ps.q.g"
        assert {held for _, _, held in line.asked} == {LONGEST}

    asyncio.run(run())


class Slow(Line):
    """It answers late, and does not hear that nobody waits any more: as the library may."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.gate, self.answered = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def channel(self) -> Line:
        self.began.set()
        with suppress(asyncio.CancelledError):
            await self.gate.wait()
        await self.gate.wait()
        self.answered.set()
        return self


def test_a_new_connection_has_one_consumer_however_late_the_last_one_answers() -> None:
    async def run() -> None:
        last: Any = Slow()
        line: Any = Line()
        intake = Intake(
            "g", 1, came=lambda _: True, ask=lambda _: None, put_off=lambda *_: None, trouble=lambda _: None
        )
        intake.wish(Wish("g", 3, 0, lambda _: None))
        intake.begin(last)
        async with asyncio.timeout(60):
            await last.began.wait()
            intake.begin(line)
            await line.was_asked.wait()
            last.gate.set()
            await last.answered.wait()
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        assert (len(last.asked), len(line.asked)) == (0, 1)

    asyncio.run(run())
