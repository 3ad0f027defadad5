"""Runs in the supervisor: which deliveries of one channel are settled, said to the broker in few words.

An acknowledgement costs a system call here, and there an entry in the log of the queue. One may stand for all
deliveries up to it; so what is settled waits a moment, until what came before it is settled, too. Behind a
long job nothing waits for longer than that: it would take the place of what else could come.

All of it leaves in the order in which it was decided. A word that stands for many, and is overtaken by one of
these, has the broker end the channel: it knows that delivery no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from penstock.errors import BrokerLost
from penstock.rabbitmq.channel import Channel
from penstock.rabbitmq.message import Receipt

MOMENT = 0.05
"""Seconds that one waits at least, and twice that at most."""


class Receipts:
    """Those of one channel."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._open: dict[int, None] = {}
        """Tags that are not settled, in their order."""
        self._settled: set[int] = set()
        """Those that are, and of which the broker does not know."""
        self._late: set[int] = set()
        """The same, of those that have waited for a moment already."""
        self._last = 0
        self._soon: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._words: list[Receipt] = []
        self._writing: asyncio.Task[None] | None = None

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
            self._settled.add(tag)
            if self._soon is None:
                self._soon = asyncio.get_running_loop().call_soon(self._tell)

    def reject(self, tag: int, *, requeue: bool) -> None:
        """Back to the queue, or to its dead letters."""
        if self._open.pop(tag, self) is None:
            self._say([Receipt(tag, requeue=requeue)])

    def _tell(self) -> None:
        """All up to the first that is open, as one."""
        self._soon = None
        first = next(iter(self._open), self._last + 1)
        covered = {tag for tags in (self._settled, self._late) for tag in tags if tag < first}
        if covered:
            self._settled -= covered
            self._late -= covered
            self._say([Receipt(max(covered), multiple=True)])
        self._wait()

    def _wait(self) -> None:
        if self._timer is None and (self._settled or self._late):
            self._timer = asyncio.get_running_loop().call_later(MOMENT, self._tell_late)

    def _tell_late(self) -> None:
        self._timer = None
        late, self._late, self._settled = self._late, self._settled, set()
        self._say([Receipt(tag) for tag in sorted(late)])
        self._wait()

    def _say(self, words: Sequence[Receipt]) -> None:
        self._words += words
        if self._words and self._writing is None:
            self._writing = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        try:
            with suppress(BrokerLost):  # it comes again, and the hub will say what it is worth
                while self._words:
                    words, self._words = self._words, []
                    await self.channel.settle(words)
        finally:
            self._writing = None

    async def close(self) -> None:
        """Once the broker knows it all."""
        self._tell()
        for _ in range(2):
            self._tell_late()
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await self._writing
