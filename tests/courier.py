"""A supervisor's courier in a thread of the test: what jobs that go over a broker are run by, where the code
of the jobs is the test itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from penstock.rabbitmq.channel import Channel
from penstock.rabbitmq.connection import connect
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import parse
from penstock.runtime.jobs.book import Close, Look, Wish
from penstock.runtime.jobs.courier import Courier
from penstock.runtime.jobs.employer import Employer
from penstock.tasks.home import Home
from penstock.tasks.job import Claim
from penstock.tasks.settle import Closing, Outcome

PATIENCE = 60.0
Found = TypeVar("Found")


class Runner:
    """One, of one group. Its methods return when what they say is done."""

    def __init__(
        self, url: str, directory: Path, group: str, *, slots: int = 1, way: int = 0, unfenced: bool = False
    ) -> None:
        """``slots``: so many workers it would have. ``way``: the port of a proxy, by which it goes to the
        broker. ``unfenced``: its group's jobs are begun without a hub, too."""
        self._url, self._group = url, group
        self._way = url.replace(f":{parse(url).port}/", f":{way}/") if way else url
        self._employer = Employer(
            Home(str(directory / "jobs.db")),
            {group: slots},
            str(directory),
            on_change=lambda: None,
            on_trouble=lambda _: None,
            unfenced=[group] if unfenced else [],
        )
        self._begun = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._begun.wait()
        self._wait(self._open())

    async def _run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._begun.set()
        await self._over.wait()

    async def _open(self) -> None:
        self._courier = Courier(self._employer, self._way)
        await self._courier.open()
        self._connection = await connect(parse(self._url), name="test")
        self._channel: Channel = await self._connection.channel()

    def close(self) -> None:
        """End; what runs is given up."""
        self._wait(self._close())
        self._thread.join()

    async def _close(self) -> None:
        await self._courier.close()
        await self._connection.close()
        self._over.set()

    def claim(self, count: int) -> list[Claim]:
        """So many jobs, once they have come."""
        return self._wait(self._claim(count))

    async def _claim(self, count: int) -> list[Claim]:
        found: list[Claim] = []
        whole: asyncio.Future[list[Claim]] = self._loop.create_future()

        def came(claims: list[Claim]) -> None:
            found.extend(claims)
            if len(found) >= count:
                whole.set_result(found)
            else:  # at once, as a supervisor does: what comes and is not wished for is given back
                self._courier.ask(Wish(self._group, count - len(found), 0, came))

        if count:
            came([])
        return await whole if count else found

    def end(self, claim: Claim, outcome: Outcome) -> None:
        """That has come to an end, and the broker has word of it."""
        self._wait(self._end(claim, outcome))

    async def _end(self, claim: Claim, outcome: Outcome) -> None:
        told: asyncio.Future[str | None] = self._loop.create_future()
        self._courier.ask(Close(Closing(claim.id, claim.fence, outcome, worker="w"), told.set_result))
        await told

    def ending(self) -> list[str]:
        """The ids of jobs that run here, and that somebody wants ended."""
        return self._wait(self._look())

    async def _look(self) -> list[str]:
        seen: asyncio.Future[Any] = self._loop.create_future()
        self._courier.ask(Look(seen.set_result))
        return list((await seen).ending)

    def publish(self, *messages: tuple[str, str, Message]) -> None:
        """Have the broker keep these, whatever they are."""
        self._wait(self._publish(messages))

    async def _publish(self, messages: Sequence[tuple[str, str, Message]]) -> None:
        for each in messages:
            await self._channel.publish(*each)

    def _wait(self, act: Coroutine[Any, Any, Found]) -> Found:
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(act, PATIENCE), self._loop).result()


@contextmanager
def runner(
    url: str, directory: Path, group: str, *, slots: int = 1, unfenced: bool = False
) -> Iterator[Runner]:
    """One, for a test."""
    found = Runner(url, directory, group, slots=slots, unfenced=unfenced)
    try:
        yield found
    finally:
        found.close()
