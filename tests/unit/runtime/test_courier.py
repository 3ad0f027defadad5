"""The courier: what the hub must have heard is said until it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.rabbitmq import talk, topology
from penstock.rabbitmq.message import Delivery, Message
from penstock.rabbitmq.talk import Halt, Heard, Hello, Orders, Petition, RollCall
from penstock.runtime import courier
from penstock.runtime.announcer import Announcer
from penstock.runtime.book import Pause
from penstock.runtime.courier import Courier
from penstock.runtime.keeper import Employer
from penstock.tasks.home import Home


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
