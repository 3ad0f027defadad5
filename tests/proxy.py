"""A way to a broker that can be cut: connections are reset, and no new ones pass, until it is mended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Proxy:
    """Passes on what comes to its port. It has a thread of its own."""

    def __init__(self, port: int, at: int = 0) -> None:
        self._behind, self._at = port, at
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Future[Any]] = set()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._listens.wait()

    def cut(self) -> None:
        """Nothing passes any more."""
        self._is_cut = True
        self._loop.call_soon_threadsafe(self._reset)

    def mend(self) -> None:
        """New connections are let through."""
        self._is_cut = False

    def close(self) -> None:
        """End it."""
        self.cut()
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self._at)
        self.port = int(server.sockets[0].getsockname()[1])
        self._listens.set()
        await self._over.wait()
        server.close()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", self._behind)
        self._writers |= {writer, back}
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    @staticmethod
    async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    def _reset(self) -> None:
        while self._writers:
            self._writers.pop().transport.abort()


@contextmanager
def proxy(port: int, at: int = 0) -> Iterator[Proxy]:
    """One, for a test; ``at``: its own port, any if 0."""
    found = Proxy(port, at)
    try:
        yield found
    finally:
        found.close()
