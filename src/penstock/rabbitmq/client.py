"""What one process has open with a broker as a client: a channel to publish by, a queue of its own for what
it is answered, and the doorbell. All of it lives on one event loop.

It is opened when it is first needed, and again after it was lost. Whoever wants something of it says until
when: so long it is tried again, with pauses, where trying again may help.

    publish   is confirmed by the broker; whatever was not is published again, with the same id
    ask       goes to the hub; where it may be done twice it is asked again, otherwise we are told that it may
              have been done
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import NamedTuple, TypeVar

from penstock.errors import BrokerAway, BrokerFault, BrokerLost, TimedOut
from penstock.rabbitmq import asks, topology
from penstock.rabbitmq.channel import Channel
from penstock.rabbitmq.connection import Connection, connect
from penstock.rabbitmq.message import Delivery, Message, Posting
from penstock.rabbitmq.url import BrokerUrl
from penstock.tasks.job import new_id

NAME = "penstock client"
WINDOW, ROOM = 1000, 4_000_000
"""Messages that are under way at a time, and their bytes."""
PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between tries; the last one again and again."""

Found = TypeVar("Found")


class Link(NamedTuple):
    """What is open."""

    connection: Connection
    sender: Channel
    inbox: Channel

    @property
    def alive(self) -> bool:
        """All of it."""
        return self.connection.alive and self.sender.alive and self.inbox.alive


class Client:
    """Of one process with one broker, on one loop."""

    def __init__(self, url: BrokerUrl) -> None:
        self.url = url
        self._id = new_id()
        self._turn = asyncio.Lock()
        self._link: Link | None = None
        self._asked: dict[str, asyncio.Future[bytes]] = {}
        self._listeners: set[Callable[[], None]] = set()
        self._hears = False
        """Whether the doorbell was asked for; from then on it is heard: most who wait wait again."""

    @property
    def node(self) -> BrokerUrl | None:
        """Which one it is connected to; nothing: none at the moment."""
        link = self._link
        return link.connection.url if link is not None and link.alive else None

    # Publishing ------------------------------------------------------------------------------------------

    async def publish(self, postings: Sequence[Posting], within: float) -> None:
        """Hand them over: when this returns, the broker has them all.

        Args:
            postings: Each has an id of its own.
            within: Seconds within which something of it has to be done; many may take longer.

        Raises:
            Unroutable: no queue takes one of them.
            BrokerFault: it cannot be reached, or refuses.
            TimedOut: it takes no more. In all these cases it has some of them, maybe.
        """
        left = list(postings)[::-1]  # the next one last: the end of a list is cheap to take

        async def some(link: Link) -> None:
            window = _window(left)
            outcomes = await link.sender.publish_many(window, within=within)
            failed = [(posting, each) for posting, each in zip(window, outcomes, strict=True) if each]
            left[-len(window) :] = [posting for posting, _ in reversed(failed)]
            if failed:
                raise failed[0][1]

        while left:
            await self._tried(some, within)

    async def missing(self, queues: Sequence[str], within: float) -> set[str]:
        """Those of them that the broker does not have.

        Raises:
            BrokerFault: it cannot be reached, or refuses.
            TimedOut: it does not answer.
        """

        async def look(link: Link) -> set[str]:
            return {queue for queue in queues if not await link.connection.has(queue)}

        return await self._tried(look, within)

    # Asking ----------------------------------------------------------------------------------------------

    async def ask(self, ask: asks.Ask, within: float) -> bytes:
        """What the hub answers.

        Raises:
            BrokerFault: the broker cannot be reached, or refuses; the hub does not answer.
        """
        is_repeatable = not isinstance(ask, asks.ONCE)

        async def once(link: Link) -> bytes:
            try:
                return await self._answer(link, ask, within)
            except BrokerLost as error:
                if is_repeatable:
                    raise
                raise BrokerFault(f"{error}; it may have been done, or not: look, and do it again") from None

        try:
            return await self._tried(once, within)
        except TimedOut:
            raise self._unanswered(within) from None

    async def _answer(self, link: Link, ask: asks.Ask, within: float) -> bytes:
        question = new_id()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[question] = answer
        message = Message(
            body=asks.encode(ask),
            type=asks.TYPE,
            reply_to=topology.reply_key(self._id),
            correlation=question,
            expires=round(within * 1000),
        )
        try:
            await link.sender.publish(topology.CONTROL, topology.ASK, message, within=within)
            return await answer
        finally:
            del self._asked[question]

    def _unanswered(self, within: float) -> BrokerFault:
        return BrokerFault(
            f"nobody who keeps the store of jobs has answered over {self.url} within {within:g} s;"
            " is a hub running? penstock hub"
        )

    # Hearing ---------------------------------------------------------------------------------------------

    async def listen(self, rung: Callable[[], None]) -> None:
        """Call ``rung`` whenever something may have become of jobs: on this loop, so it must not block."""
        self._listeners.add(rung)
        if not self._hears and self._link is not None and self._link.alive:
            with suppress(BrokerFault):  # lost: the next link is bound from the beginning
                await self._link.inbox.bind(topology.reply_inbox(self._id), topology.CONTROL, topology.NEWS)
        self._hears = True

    def forget(self, rung: Callable[[], None]) -> None:
        """No longer."""
        self._listeners.discard(rung)

    def _take(self, delivery: Delivery) -> None:
        if delivery.key == topology.NEWS:
            self._ring()
            return
        answer = self._asked.get(delivery.message.correlation)
        if answer is not None and not answer.done():
            answer.set_result(delivery.message.body)

    def _ring(self) -> None:
        for rung in list(self._listeners):
            rung()

    # Being connected -------------------------------------------------------------------------------------

    async def close(self) -> None:
        """End it."""
        if self._link is not None:
            await self._link.connection.close()

    async def _tried(self, act: Callable[[Link], Awaitable[Found]], within: float) -> Found:
        """What ``act`` gives with what is open, as soon as it gives something.

        Raises:
            BrokerFault, Unroutable: it fails, and would again; or still does when time is up.
            TimedOut: time is up.
        """
        end = asyncio.get_running_loop().time() + within
        for pause in _pauses():
            try:
                async with asyncio.timeout_at(end):
                    return await act(await self._linked())
            except TimeoutError:
                raise TimedOut(f"{self.url} has not taken it within {within:g} s") from None
            except BrokerAway:
                if asyncio.get_running_loop().time() + pause >= end:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("there is always another pause")

    async def _linked(self) -> Link:
        async with self._turn:
            if self._link is None or not self._link.alive:
                if self._link is not None:
                    await self._link.connection.close()  # one channel alone may have ended
                self._link = await self._open()
                self._ring()  # what was rung meanwhile has not been heard
            return self._link

    async def _open(self) -> Link:
        connection = await connect(self.url, name=NAME, lost=self._lost)
        try:
            sender = await connection.channel(lost=self._lost)
            await _prepared(sender, self.url)
            return Link(connection, sender, await self._inbox(connection))
        except BaseException:
            await connection.close()
            raise

    async def _inbox(self, connection: Connection) -> Channel:
        inbox = await connection.channel(lost=self._lost)
        name = topology.reply_inbox(self._id)
        await inbox.inbox(name)
        keys = [topology.reply_key(self._id), *([topology.NEWS] if self._hears else [])]
        for key in keys:
            await inbox.bind(name, topology.CONTROL, key)
        await inbox.consume(name, self._take, prefetch=0)
        return inbox

    def _lost(self, why: str) -> None:
        """Nothing that was asked will be answered."""
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(BrokerLost(f"the broker at {self.url.place}: {why}"))


def _window(left: Sequence[Posting]) -> list[Posting]:
    """From the end of it, in the order in which they are to go: one at least."""
    found: list[Posting] = []
    room = ROOM
    for posting in reversed(left):
        room -= len(posting.message.body)
        if found and (room < 0 or len(found) == WINDOW):
            break
        found.append(posting)
    return found


async def _prepared(channel: Channel, url: BrokerUrl) -> None:
    """Find out whether somebody has declared what there must be."""
    try:
        await channel.declare_exchange(topology.JOBS, passive=True)
    except BrokerLost:
        raise
    except BrokerFault:
        raise BrokerFault(f"{url} is not prepared for jobs; do that once: penstock broker init") from None


def _pauses() -> Iterator[float]:
    """Each of them another: a broker that comes back is not to meet all at once."""
    for pause in chain(PAUSES, repeat(PAUSES[-1])):
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311
