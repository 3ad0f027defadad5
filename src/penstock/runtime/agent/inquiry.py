"""Runs in the agent: callers of this host are told which replicas of services there are.

On the first host they ask the supervisor at ``control.sock``. Here it is the same question, at
``calls.sock``, and the same answers, which the supervisor sends as they change. The supervisor is told who
calls, and who does so no more: replicas on other hosts cannot see it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

import msgspec

from penstock.errors import PeerError
from penstock.runtime import hostwire
from penstock.runtime.rundir import CALLS

BACKLOG = 128
"""Callers that may come at once."""


class Question(msgspec.Struct, frozen=True):
    """As a caller puts it."""

    verb: str
    caller: int
    """A number that no other has."""


def caller(line: bytes) -> int:
    """Who asks.

    Raises:
        PeerError: that is no question of callers.
    """
    try:
        found = msgspec.json.decode(line, type=Question)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError(f"no question of a caller: {error}") from None
    if found.verb != "calls" or not 0 <= found.caller < 1 << 64:
        raise PeerError(f"{found.verb[:20]!r} is not answered on this host: ask on the first one")
    return found.caller


class Inquiry:
    """Of one stay."""

    def __init__(self, run_dir: str, say: Callable[[msgspec.Struct], None]) -> None:
        """``say`` tells the supervisor. From now on callers may come."""
        self._say = say
        self._line = b""
        self._changed = asyncio.Event()
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.bind(os.path.join(run_dir, CALLS))
        door.listen(BACKLOG)  # from now on, and not when asyncio comes to it
        self._callers: set[asyncio.Task[None]] = set()
        self._opening = asyncio.ensure_future(asyncio.start_unix_server(self._come, sock=door))

    def tell(self, line: bytes) -> None:
        """That is how things are now."""
        self._line = line
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)
        try:
            with suppress(OSError, ValueError, PeerError):  # he is gone, or asks what nobody does
                await self._serve(reader, writer, caller(await reader.readline()))
        finally:
            self._callers.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, caller: int) -> None:
        self._say(hostwire.Calling(caller, calls=True))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            while not gone.done():
                changed, line = self._changed, self._line
                if line:
                    writer.write(line)
                    await writer.drain()
                coming = asyncio.ensure_future(changed.wait())
                await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
                coming.cancel()
        finally:
            gone.cancel()
            self._say(hostwire.Calling(caller, calls=False))

    def close(self) -> None:
        """The stay is over, and so is all that callers wait for."""
        self._opening.cancel()
        if self._opening.done() and not self._opening.cancelled() and not self._opening.exception():
            self._opening.result().close()
        for task in self._callers:
            task.cancel()
