"""The courier: what the hub must have heard is said until it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.rabbitmq import talk, topology
from penstock.rabbitmq.message import Delivery, Message
from penstock.rabbitmq.talk import Halt, Heard, Hello, Orders, Petition, RollCall, Show, Tell
from penstock.runtime.jobs import courier, logreader
from penstock.runtime.jobs.announcer import Announcer
from penstock.runtime.jobs.book import Pause
from penstock.runtime.jobs.courier import Courier
from penstock.runtime.jobs.employer import Employer
from penstock.tasks.home import Home
from penstock.tasks.job import new_id


class Session:
    """Of a broker that keeps nothing: what is said to the hub is in ``said``."""

    def __init__(self, url: Any, name: str, *, begin: Callable[[Any], Any], lost: Any) -> None:
        self._begin = begin
        self._changed = asyncio.Condition()
        self.said: list[Any] = []

    async def open(self) -> None:
        await self._begin(self)

    async def close(self) -> None:
        pass

    async def channel(self) -> Any:
        return self

    async def inbox(self, name: str) -> None:
        pass

    async def bind(self, *names: str) -> None:
        pass

    async def ack(self, tag: int) -> None:
        pass

    async def consume(self, queue: str, take: Callable[[Delivery], None], *, prefetch: int) -> None:
        self._take = take

    async def publish(self, exchange: str, key: str, message: Message) -> None:
        if key == topology.event_key("g", topology.CLAIM):
            async with self._changed:
                self.said += talk.decode(message.body, Petition).words
                self._changed.notify_all()

    def order(self, *words: Any) -> None:
        message = Message(body=talk.encode(Orders([*words])))
        self._take(Delivery(message=message, tag=1, exchange="", key="", redelivered=False))

    async def until_said(self, kind: type) -> None:
        """One more time."""
        self.said.clear()
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: any(isinstance(word, kind) for word in self.said))


def test_what_is_heard_is_not_said_again() -> None:
    told: list[Any] = []
    it = Announcer(["g", "h"], hello=lambda group: Hello([group]), tell=lambda _, word: told.append(word))
    it.greet()
    it.halt("g", "it kills workers")
    it.heard(Heard("g"))
    told.clear()
    it.again(0.0)
    assert told == [Hello(["h"]), Halt("g", "it kills workers")]
    it.heard(Heard("h"))
    it.heard(Heard("g", halt=True))
    told.clear()
    it.again(0.0)
    assert told == []


def test_what_the_hub_must_know_is_said_until_it_is_heard_and_to_each_new_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "Session", Session)
    monkeypatch.setattr(courier, "ASKED_AGAIN", 0.1)

    async def run() -> None:
        employer = Employer(
            Home(str(tmp_path / "jobs.db")), {"g": 1}, str(tmp_path), lambda: None, lambda _: None
        )
        it = Courier(employer, "amqp://localhost")
        session: Any = it._session
        await it.open()
        await session.until_said(Hello)
        await session.until_said(Hello)
        session.order(Heard("g"))
        it.ask(Pause("g", "it kills workers", lambda _: None))
        await session.until_said(Halt)
        await session.until_said(Halt)
        session.order(Heard("g", halt=True), RollCall())
        await session.until_said(Hello)
        await session.until_said(Hello)
        await it.close()

    asyncio.run(run())


def test_no_order_ends_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(courier, "Session", Session)
    troubles: list[str] = []
    faults: list[Any] = []

    def unreadable(*_: Any, **__: Any) -> Any:
        raise OverflowError("cannot fit")

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        reached = asyncio.Event()

        def hear(trouble: str) -> None:
            troubles.append(trouble)
            reached.set()

        employer = Employer(
            Home(str(tmp_path / "jobs.db")), {"g": 1}, "", on_change=lambda: None, on_trouble=hear
        )
        told = Courier(employer, "amqp://h")
        session: Any = told._session
        await told.open()
        session._take(Delivery(message=Message(body=b"?"), tag=1, exchange="", key="", redelivered=False))
        monkeypatch.setattr(told, "_tell_all", unreadable)
        session.order(Tell(new_id()))
        assert len(troubles) == 2
        reached.clear()
        monkeypatch.setattr(logreader, "read_piece", unreadable)
        session.order(Show("reply.a b", "g", new_id(), 1, 5))
        async with asyncio.timeout(60):
            await reached.wait()
        await told.close()

    asyncio.run(run())
    assert "a log that somebody has asked for cannot be shown" in troubles[2]
    assert not faults
