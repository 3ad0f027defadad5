"""Runs in the supervisor: which deliveries of one channel are settled, said to the broker in few words.

An acknowledgement costs a system call here and a message there. One may stand for all deliveries up to it; so
what is settled waits a moment, until what came before it is settled, too. Behind a long job nothing waits for
longer than that moment: it would take the place of what else could come.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from penstock.errors import BrokerLost
from penstock.rabbitmq.channel import Channel

MOMENT = 0.05
"""Seconds."""


class Receipts:
    """Those of one channel."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._open: dict[int, None] = {}
        """Tags that are not settled, in their order."""
        self._settled: set[int] = set()
        """Those that are, and of which the broker does not know."""
        self._last = 0
        self._timer: asyncio.TimerHandle | None = None
        self._acts: set[asyncio.Task[None]] = set()

    @property
    def alive(self) -> bool:
        """Whether what has come by it can still be settled."""
        return self.channel.alive

    def came(self, tag: int) -> None:
        """There is one."""
        self._open[tag] = None
        self._last = tag

    def settle(self, tag: int) -> None:
        """The broker may forget it."""
        if self._open.pop(tag, self) is None:
            if not self._settled:
                asyncio.get_running_loop().call_soon(self._tell)
            self._settled.add(tag)

    def reject(self, tag: int, *, requeue: bool) -> None:
        """Back to the queue, or to its dead letters."""
        if self._open.pop(tag, self) is None:
            self._start(tag, requeue=requeue)

    def _tell(self) -> None:
        """All up to the first that is open, as one."""
        first = next(iter(self._open), self._last + 1)
        covered = [tag for tag in self._settled if tag < first]
        if covered:
            self._settled.difference_update(covered)
            self._start(max(covered), multiple=True)
        if self._settled and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MOMENT, self._tell_each)

    def _tell_each(self) -> None:
        self._timer = None
        settled, self._settled = self._settled, set()
        for tag in sorted(settled):
            self._start(tag)

    def _start(self, tag: int, *, requeue: bool | None = None, multiple: bool = False) -> None:
        task = asyncio.ensure_future(self._act(tag, requeue=requeue, multiple=multiple))
        self._acts.add(task)
        task.add_done_callback(self._acts.discard)

    async def _act(self, tag: int, *, requeue: bool | None, multiple: bool) -> None:
        with suppress(BrokerLost):  # it comes again, and the hub will say what it is worth
            if requeue is None:
                await self.channel.ack(tag, multiple=multiple)
            else:
                await self.channel.reject(tag, requeue=requeue)

    async def close(self) -> None:
        """Once the broker knows it all."""
        self._tell()
        if self._timer is not None:
            self._timer.cancel()
        self._tell_each()
        await asyncio.gather(*self._acts)
