"""In whoever calls services from async code: the caller's ear is one more file that a loop waits on.

Where threads call at the same time, one of them may be reading for all; then it passes on what is for a loop.
When it stops, a loop takes over, as the file can still be read.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any, Dict, Optional

from penstock.runtime.calls.caller import Caller
from penstock.runtime.calls.pending import Pending


class Loops:
    """Those in which somebody waits for an answer of one caller."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._waiting: Dict[asyncio.AbstractEventLoop, int] = {}

    async def call(self, service: str, value: Any, seconds: Optional[float]) -> Any:
        """As ``Caller.begin`` and ``wait``; to cancel it is to cancel the call."""
        caller, loop = self._caller, asyncio.get_running_loop()
        answered = asyncio.Event()
        self._join(loop)
        try:
            with caller.turnstile:
                pending = caller.begin(service, value, seconds)
                pending.notify = functools.partial(_tell, loop, answered)
            if pending.done:
                answered.set()
            timer = None if seconds is None else loop.call_later(seconds, self._expire, pending)
            try:
                await answered.wait()
            finally:
                if timer is not None:
                    timer.cancel()
                if not pending.done:
                    with caller.turnstile:
                        caller.forget(pending)
        finally:
            self._leave(loop)
        return pending.result()

    def _expire(self, pending: Pending) -> None:
        with self._caller.turnstile:
            if not pending.done:
                self._caller.expire(pending)

    def _join(self, loop: asyncio.AbstractEventLoop) -> None:
        count = self._waiting.get(loop, 0)
        self._waiting[loop] = count + 1
        if not count:
            loop.add_reader(self._caller.file, self._read)

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        self._waiting[loop] -= 1
        if not self._waiting[loop]:
            del self._waiting[loop]
            loop.remove_reader(self._caller.file)

    def _read(self) -> None:
        """Something has come; who leads reads it in our place."""
        caller = self._caller
        if caller.leading:
            return
        with caller.turnstile:
            if not caller.leading:  # somebody may have begun to, and made way for us
                caller.drain()


def _tell(loop: asyncio.AbstractEventLoop, answered: asyncio.Event) -> None:
    """There is an outcome for somebody in that loop, which may be ours; in a closed one nobody waits."""
    try:
        if asyncio.get_running_loop() is loop:
            answered.set()
            return
    except RuntimeError:
        pass  # a thread without one reads
    try:
        loop.call_soon_threadsafe(answered.set)
    except RuntimeError:
        if not loop.is_closed():
            raise
