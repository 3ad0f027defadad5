"""A hub in a thread of the test: what clients meet, where nobody runs jobs but the test itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstock.errors import Unroutable
from penstock.rabbitmq import hub as hubs
from penstock.rabbitmq import topology
from penstock.rabbitmq.connection import connect
from penstock.rabbitmq.declaration import declare
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import parse
from penstock.tasks.home import Home
from penstock.tasks.store import Store

PATIENCE = 60.0


def prepare(url: str, *groups: str) -> None:
    """What `penstock broker init` does, of which nobody here wants to hear."""

    async def run() -> None:
        connection = await connect(parse(url), name="test")
        await declare(await connection.channel(), topology.topology(groups))
        await connection.close()

    asyncio.run(run())


class Hub:
    """Of one store."""

    def __init__(self, url: str, path: Path, *groups: str) -> None:
        store = Store(str(path))
        for group in groups:
            store.add_group(group)
        store.close()
        self._url, self._path = url, path
        self._leads = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def start(self) -> Hub:
        """Until it is the one."""
        self._thread.start()
        assert self._leads.wait(PATIENCE), "nobody keeps the store"
        return self

    def close(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._keeping.cancel)
        self._thread.join()

    def ring(self) -> None:
        """Something has changed in the store that has not come over the broker."""
        asyncio.run_coroutine_threadsafe(self._ring(), self._loop).result(PATIENCE)

    async def _ring(self) -> None:
        connection = await connect(parse(self._url), name="test")
        with suppress(Unroutable):  # nobody listens
            await (await connection.channel()).publish(topology.CONTROL, topology.NEWS, Message())
        await connection.close()

    async def _run(self) -> None:
        keeper = hubs.Hub(parse(self._url), Home(str(self._path)), say=self._said)
        self._loop = asyncio.get_running_loop()
        self._keeping = asyncio.ensure_future(keeper.run())
        with suppress(asyncio.CancelledError):
            await self._keeping

    def _said(self, sentence: str) -> None:
        if "keeps the store" in sentence:
            self._leads.set()


@contextmanager
def hub(url: str, path: Path, *groups: str) -> Iterator[Hub]:
    """One, for a test."""
    found = Hub(url, path, *groups).start()
    try:
        yield found
    finally:
        found.close()
