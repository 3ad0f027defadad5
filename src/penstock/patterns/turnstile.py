"""How coroutines wait for one socket: several may, for receiving and for sending.

ZeroMQ's file becomes readable when something has changed, once, and any call on the socket may be the one
that takes note of it. So whoever has called it looks whether there is something for the others who wait, and
wakes these alone: two that wake each other for nothing would never stop.
"""

from __future__ import annotations

import asyncio
from typing import Any

from penstock.errors import UserError
from penstock.lifecycle import monotonic
from penstock.message.parcel import Parcel
from penstock.patterns.tuning import USUAL
from penstock.patterns.wire import Wire

BURST = 100
"""Messages that were there at once, after which others in the loop have their turn."""

Waiting = asyncio.Future[bool]


class Turnstile:
    """Of one socket, in the loop that first waited for it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[Waiting, bool] = {}
        """Who waits, and whether it is to receive."""
        self._at_once = 0

    async def take(self, timeout: float | None) -> Any:
        """As that of the wire."""
        frame = self._wire.look()
        if frame is None:
            end = self._end(timeout)
            while frame is None:
                await self._change(end, timeout, receive=True)
                frame = self._wire.look()
        await self._passed()
        return frame

    async def put(self, parcel: Parcel, timeout: float | None) -> None:
        """As that of the wire."""
        if not self._wire.offer(parcel):
            end = self._end(timeout)
            while True:
                await self._change(end, timeout, receive=False)
                if self._wire.offer(parcel):
                    break
        await self._passed()

    async def arrival(self) -> None:
        """Wait until there may be something to receive."""
        await self._change(None, None, receive=True)

    def forget(self) -> None:
        """As that of the wire."""
        self._leave()
        self._wire.forget()

    def renew(self) -> None:
        """As that of the wire, which has another file then."""
        self._wire.renew()
        if self._loop is not None:
            self._loop.add_reader(self._wire.fileno(), self._wake)

    def close(self) -> None:
        """Those who wait are told."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(UserError(f"{self._wire} is closed"))
        self._leave()
        self._loop = None

    def _leave(self) -> None:
        """The loop watches ZeroMQ's file no longer."""
        if self._loop is not None and not self._loop.is_closed() and not self._wire.forgotten:
            self._loop.remove_reader(self._wire.fileno())

    def _end(self, timeout: float | None) -> float | None:
        seconds = self._wire.timeout if timeout == USUAL else timeout
        return None if seconds is None else monotonic() + seconds

    async def _passed(self) -> None:
        if self._waiting:
            self._wake()
        self._at_once += 1
        if self._at_once >= BURST:
            self._at_once = 0
            await asyncio.sleep(0)

    async def _change(self, end: float | None, timeout: float | None, *, receive: bool) -> None:
        """Wait until it is worth to look again.

        Raises:
            TimedOut: the end came first.
        """
        loop = self._attend()
        self._at_once = 0
        waiting: Waiting = loop.create_future()
        timer = None if end is None else loop.call_later(max(0.0, end - monotonic()), _tell, waiting, False)
        self._waiting[waiting] = receive
        self._wake()  # this one too: it may have come since the look, and to ask takes note of it
        try:
            if not await waiting:
                raise self._wire.timed_out(timeout, receive=receive)
        finally:
            del self._waiting[waiting]
            if timer is not None:
                timer.cancel()

    def _attend(self) -> asyncio.AbstractEventLoop:
        """Have the loop watch ZeroMQ's file."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            loop.add_reader(self._wire.fileno(), self._wake)
        elif self._loop is not loop:
            raise UserError(f"{self._wire} belongs to another event loop: make one in each")
        return loop

    def _wake(self) -> None:
        """Wake those for whom there is something."""
        can_receive, can_send = self._wire.events()
        for waiting, receive in self._waiting.items():
            if can_receive if receive else can_send:
                _tell(waiting, True)


def _tell(waiting: Waiting, news: bool) -> None:  # noqa: FBT001  a callback of the loop's
    if not waiting.done():
        waiting.set_result(news)
