"""The hub: keeps the store where jobs go over a broker.

Whatever comes is taken in batches: all that lies there when the last one is on disk is the next. Then it is
settled at the broker, so a hub that dies between the two is told the same again.

Of several hubs one is active: who is given anything from ``ps.claims``, which has one active consumer. Only
that one takes from the other queues. The others call into that queue every few seconds, and hear themselves
when they have become the one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from penstock import faultpoint
from penstock.errors import BrokerLost, EnvironmentFault, Unroutable, UserError
from penstock.rabbitmq import talk, topology
from penstock.rabbitmq.channel import Channel
from penstock.rabbitmq.message import Delivery, Message
from penstock.rabbitmq.registrar import Registrar, Written
from penstock.rabbitmq.session import Session
from penstock.rabbitmq.turn import DISK, Contested, Kind, Parcel, Post
from penstock.rabbitmq.url import BrokerUrl
from penstock.tasks.home import Home
from penstock.tasks.job import new_id, wall
from penstock.tasks.keeping import USUAL, Keeping
from penstock.tasks.store import Store

TAKES: dict[str, tuple[Kind, int]] = {
    topology.SUBMITTED: ("submitted", 2000),
    topology.STORE: ("report", 500),
    topology.ASKS: ("ask", 200),
}
"""What else the active one takes from, as what, and how much of it at a time."""
LOOKS: tuple[Kind, ...] = ("ask", "log")
"""What changes nothing."""
CLAIMS_AT_ONCE = 500
DEAD_AT_ONCE = 20
PING = 5.0
"""Seconds between two calls of one who stands by; so long nobody is active when the active one has died."""
GRACE = 3.0
"""Seconds that a supervisor which is cut off has, to come back to what it runs."""
SOON, LATER = 1.0, 10.0
"""Seconds before a copy of a job is looked at again which somebody seems to run: who may be gone; who is
there."""
TOGETHER = 0.02
"""Seconds within which submissions come together that nobody waits for: the broker has confirmed them, and
each commit, each word of it, takes time from whoever submits the next one."""
PAUSE = 1.0
"""Seconds between two tries to write, where that fails; and to publish what has no queue."""


class Taken(NamedTuple):
    """A delivery, and where it is to be settled."""

    channel: Channel
    tag: int
    parcel: Parcel


class Hub:
    """One, active or not."""

    def __init__(
        self,
        url: BrokerUrl,
        home: Home,
        *,
        say: Callable[[str], None],
        keeping: Keeping = USUAL,
        recovers: bool = False,
    ) -> None:
        """``home``: of the store. ``say`` gets sentences for people. ``keeping``: what of jobs that are
        over. ``recovers``: the store was lost, or is an old copy."""
        self._id = new_id()
        self._home = home
        self._say = say
        self._url = url
        self._keeping, self._recovers = keeping, recovers
        self._taken: list[Taken] = []
        self._lost: list[Contested] = []
        self._sent: list[str] = []
        self._unsent: list[str] = []
        self._unwritable: dict[str, str] = {}
        self._stir = asyncio.Event()
        self._missing: dict[tuple[str, int], float] = {}
        """Attempts whose supervisor is not there, and since when."""
        self._watched: set[str] = set()
        self._absent: set[str] = set()
        """Groups without queues."""
        self._leads = False
        self._is_troubled = False
        self._awaits = False
        """Whether somebody wants to begin a job that has not come yet."""
        self._wrote = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="penstock-registrar")

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Until it is cancelled. ``ready`` is called when it is connected.

        Raises:
            EnvironmentFault: the store or the broker cannot be used.
        """
        loop = asyncio.get_running_loop()
        self._registrar = await loop.run_in_executor(self._thread, self._open)
        self._session = Session(self._url, "penstock hub", begin=self._begin, lost=self._apart)
        try:
            await self._session.open()
            ready()
            self._start(self._call())
            await self._work()
        finally:
            for task in self._tasks:
                task.cancel()
            await self._session.close()
            await loop.run_in_executor(self._thread, self._registrar.store.close)
            self._thread.shutdown()

    def _open(self) -> Registrar:
        store = Store(self._home.store)
        try:
            store.beside.share(self._home.depot, store.id)
        except OSError as error:
            raise EnvironmentFault(
                f"the folder for what is too large for a message cannot be used: {error}"
            ) from None
        return Registrar(store, now=wall, keeping=self._keeping, recovers=self._recovers)

    # At the broker ---------------------------------------------------------------------------------------

    async def _begin(self, session: Session) -> None:
        self._is_troubled = False
        self._taken.clear()
        self._watched.clear()
        self._leads = False
        await self._take(session, topology.CLAIMS, "petition", CLAIMS_AT_ONCE)
        self._stir.set()

    async def _take(self, session: Session, queue: str, kind: Kind, most: int) -> None:
        channel = await session.channel()

        def take(delivery: Delivery) -> None:
            self._taken.append(Taken(channel, delivery.tag, Parcel(kind, delivery.key, delivery.message)))
            self._stir_for(kind)
            if not self._leads:
                self._leads = True
                self._start(self._lead(session))

        await channel.consume(queue, take, prefetch=most)

    async def _lead(self, session: Session) -> None:
        """We are the one. What was said comes before what is asked."""
        self._say("keeps the store of jobs")
        try:
            for queue, (kind, most) in TAKES.items():
                await self._take(session, queue, kind, most)
            await self._overhear(session, talk.PROGRESS, "report")
            await self._overhear(session, talk.LOG, "log")
            roll = _message(talk.Orders([talk.RollCall()]))
            self._start(self._publish(Post(topology.CONTROL, topology.ALL, roll)))
        except BrokerLost:
            pass  # the session has ended with it, and begins anew

    async def _overhear(self, session: Session, word: str, kind: Kind) -> None:
        """Take events that may be lost."""
        inbox = topology.hub_inbox(new_id())
        channel = await session.channel()
        await channel.inbox(inbox, most=1000)
        await channel.bind(inbox, topology.EVENTS, topology.event_key("*", word))
        await self._take(session, inbox, kind, 100)

    async def _watch(self, groups: Iterable[str]) -> None:
        """Take what the broker gives up of these groups."""
        for group in groups:
            self._watched.add(group)
            try:
                if not await self._session.has(topology.dead_queue(group)):
                    self._miss(group)
                    continue
                self._absent.discard(group)
                await self._take(self._session, topology.dead_queue(group), "dead", DEAD_AT_ONCE)
            except BrokerLost:
                return

    def _miss(self, group: str) -> None:
        """It was said in a store or by somebody that there is such a group, and nobody has declared it. It is
        looked for again when there is word of it."""
        if group not in self._absent:
            self._absent.add(group)
            self._say(f"the group {group!r} has no queues; penstock broker init --group {group} makes them")

    async def _call(self) -> None:
        """While we stand by: am I the one now?"""
        while True:
            if not self._leads:
                petition = talk.Petition(self._id, [talk.Ping()])
                await self._publish(
                    Post(topology.EVENTS, topology.event_key("hub", topology.CLAIM), _message(petition))
                )
            await asyncio.sleep(PING)

    def _apart(self, why: str) -> None:
        self._leads = False
        if not self._is_troubled:
            self._is_troubled = True
            self._say(f"the broker is away, and is looked for: {why}")

    # Batches ---------------------------------------------------------------------------------------------

    def _stir_for(self, kind: Kind) -> None:
        """Submissions wait for each other where the last batch was just now; all else takes them along."""
        loop = asyncio.get_running_loop()
        left = self._wrote + TOGETHER - loop.time()
        if kind != "submitted" or self._awaits or left <= 0:
            self._stir.set()
        elif self._gathering is None:
            self._gathering = loop.call_later(left, self._stir.set)

    async def _work(self) -> None:
        while True:
            await self._stir.wait()
            self._stir.clear()
            _stopped(self._gathering)
            self._gathering = None
            taken, self._taken = self._taken, []
            self._watched -= self._absent & {each.parcel.group for each in taken}
            lost, self._lost = self._lost, []
            sent, self._sent = self._sent, []
            unsent, self._unsent = self._unsent, []
            unwritable, self._unwritable = self._unwritable, {}
            self._registrar.unsent(unsent)
            self._registrar.unwritable(unwritable)
            written = await self._written([each.parcel for each in taken], lost, sent)
            if taken:
                faultpoint.reached("after_commit_before_ack")
            await self._settle(taken)
            # To look is no news: whoever was told so would look again.
            is_news = written.is_steered or any(each.parcel.kind not in LOOKS for each in taken)
            self._send(written, is_news=bool(is_news or lost or sent))
            self._wrote, self._awaits = asyncio.get_running_loop().time(), written.awaits
            if self._taken and written.awaits:
                self._stir.set()

    async def _written(self, parcels: list[Parcel], lost: list[Contested], sent: list[str]) -> Written:
        """On disk, however often that has to be tried."""
        loop, tries = asyncio.get_running_loop(), 0
        while True:
            try:
                return await loop.run_in_executor(self._thread, self._registrar.serve, parcels, lost, sent)
            except DISK as error:
                tries += 1
                if tries == 1:
                    self._say(f"the store of jobs cannot be written: {error}")
                await asyncio.sleep(PAUSE)

    async def _settle(self, taken: list[Taken]) -> None:
        """Of each channel all that has come so far was in this batch or one before."""
        last = {each.channel: each.tag for each in taken}
        for channel, tag in last.items():
            try:
                await channel.ack(tag, multiple=True)
            except BrokerLost:
                pass  # it will come again, and change nothing

    def _send(self, written: Written, *, is_news: bool) -> None:
        for trouble in written.troubles:
            self._say(trouble)
        for post in written.posts:
            self._start(self._publish(post))
        if is_news and self._leads:
            self._start(self._publish(Post(topology.CONTROL, topology.NEWS, Message(type="penstock.news/1"))))
        for contested in written.contested:
            self._start(self._look_for(contested))
        if new := [group for group in written.groups if group not in self._watched]:
            self._watched.update(new)
            self._start(self._watch(new))
        _stopped(self._timer)
        wait = max(0.0, written.due / 1000.0 - time.time())
        self._timer = asyncio.get_running_loop().call_later(min(wait, LATER) + 0.001, self._stir.set)

    async def _publish(self, post: Post) -> None:
        try:
            await self._session.publish(post.exchange, post.key, post.message)
        except Unroutable as error:
            if post.otherwise is not None:
                await self._publish(post.otherwise)
            if not post.job:
                return  # nobody waits for that any more
            self._say(str(error))
            await asyncio.sleep(PAUSE)
            self._unsent.append(post.job)
        except UserError as error:  # it cannot be written, however often that is tried
            if post.job:
                self._unwritable[post.job] = str(error)
        else:
            if post.job:
                faultpoint.reached("after_publish_before_commit")
                self._sent.append(post.job)
        if post.job:
            self._stir.set()

    async def _look_for(self, contested: Contested) -> None:
        """Is he still there who runs that? His queue ends with him, and the broker tells."""
        ask, attempt = contested.ask, (contested.ask.id, contested.fence)
        question = talk.Orders([talk.Held(*attempt)])
        try:
            await self._session.publish(topology.CONTROL, contested.owner, _message(question))
        except UserError:  # he is gone, or has called himself what nobody can be called
            since = self._missing.setdefault(attempt, time.monotonic())
            if time.monotonic() - since >= GRACE:
                del self._missing[attempt]
                self._lost.append(contested)
                self._stir.set()
                return
            wait = SOON
        else:
            self._missing.pop(attempt, None)
            wait = SOON if contested.is_next else LATER
        order = talk.Orders([talk.Later(ask.id, ask.after, wait)])
        await self._publish(Post(topology.CONTROL, contested.sender, _message(order)))

    def _start(self, act: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(act)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _stopped(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _message(said: talk.Petition | talk.Orders) -> Message:
    kind = type(said).__name__.lower()
    return Message(type=f"penstock.{kind}/1", body=talk.encode(said))
