"""Runs in the supervisor: the copies of one group's jobs that a broker has delivered here.

    wish -> room -> copies are delivered -> asked for -> begun, let go, or put back

A broker hands over as many as are unsettled at most, so that number is what decides how fair it is: it
follows the room there is, twice that where jobs are short, as then the next ones are claimed while these run.
All of a copy's life passes on one channel, and when that ends the copy is somebody else's.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from penstock.errors import BrokerFault, BrokerLost
from penstock.rabbitmq import topology
from penstock.rabbitmq.letters import Letter, opened
from penstock.rabbitmq.message import Delivery
from penstock.rabbitmq.policies import LONGEST
from penstock.rabbitmq.session import Session
from penstock.runtime.jobs.book import Wish
from penstock.runtime.jobs.receipts import Receipts
from penstock.tasks.job import Claim

MOST = 512
"""Copies that are here at once."""
ELSEWHERE = 10.0
"""Seconds for which a job is put back that needs more GPUs than a worker has here: then others may get it."""
SLACK = 0.002
"""Seconds by which one may be begun before its time."""


class Copy:
    """One of a job, delivered and not settled."""

    __slots__ = ("_receipts", "_tag", "asked", "letter")

    def __init__(self, letter: Letter, receipts: Receipts, tag: int) -> None:
        self.letter = letter
        self.asked = 0.0
        """Since when the hub is asked for it (monotonic)."""
        self._receipts = receipts
        self._tag = tag

    @property
    def is_here(self) -> bool:
        """Whether it is still ours to settle."""
        return self._receipts.alive

    def settle(self) -> None:
        """The broker may forget it."""
        self._receipts.settle(self._tag)

    def give_back(self) -> None:
        """To the head of its queue."""
        self._receipts.reject(self._tag, requeue=True)


class Intake:
    """That of one group."""

    def __init__(
        self,
        group: str,
        slots: int,
        *,
        came: Callable[[Copy], bool],
        ask: Callable[[Copy], None],
        put_off: Callable[[Copy, float], None],
        trouble: Callable[[str], None],
    ) -> None:
        """``came`` says whether a copy that has come is still to be asked for; ``ask`` has the hub asked for
        one; ``put_off`` puts one back for so many seconds."""
        self.group = group
        self.asked: dict[str, Copy] = {}
        """By the id of the job."""
        self.held = 0
        """So many of the group run here."""
        self._slots = slots
        self._came, self._ask, self._put_off, self._trouble = came, ask, put_off, trouble
        self._waiting: deque[Copy] = deque()
        self._wishes: deque[Wish] = deque()
        self._wished = 0
        self._gpus = 0
        """So many has each worker."""
        self._is_starved = False
        """Whether people know that some jobs cannot run here."""
        self._session: Session | None = None
        self._receipts: Receipts | None = None
        self._prefetch = 0
        self._tuning: asyncio.Task[None] | None = None
        self._hushed = True
        self._paused = False

    @property
    def room(self) -> int:
        """For so many more there is a wish."""
        return self._wished - len(self.asked)

    # Wishes ----------------------------------------------------------------------------------------------

    def wish(self, wish: Wish) -> None:
        """There is room for some."""
        self._hushed = False
        self._gpus = wish.gpus
        self._wishes.append(wish)
        self._wished += wish.limit
        self.match()

    def grant(self, claims: list[Claim]) -> list[Claim]:
        """Give these to who has wished for some; those that nobody wants any more."""
        while claims and self._wishes:
            wish = self._wishes.popleft()
            self._wished -= wish.limit
            now, claims = claims[: wish.limit], claims[wish.limit :]
            self.held += len(now)
            wish.then(now)
        return claims

    def pause(self, *, paused: bool) -> None:
        """Whether nothing of the group is to be begun by anybody."""
        if paused is not self._paused:
            self._paused = paused
            self.match()

    def hush(self) -> None:
        """Nobody wants any more. What has come goes to others."""
        self._hushed = True
        wishes, self._wishes, self._wished = self._wishes, deque(), 0
        for wish in wishes:
            wish.then([])
        self._tune()

    # Copies ----------------------------------------------------------------------------------------------

    def match(self) -> None:
        """Have the hub asked for as many as there is room for."""
        while self._waiting and self.room > 0 and not self._paused:
            copy = self._waiting.popleft()
            if not self._came(copy):
                continue  # meanwhile its job has begun, by another copy of the same
            if copy.letter.job.id in self.asked:
                self._put_off(copy, 1.0)
                continue
            copy.asked = time.monotonic()
            self.asked[copy.letter.job.id] = copy
            self._ask(copy)
        self._tune()

    def answered(self, id: str, after: int) -> Copy | None:
        """The hub has spoken about that copy, if it is here still; it is not waited for any more."""
        copy = self.asked.get(id)
        if copy is None or copy.letter.after != after:
            return None
        return self.asked.pop(id)

    def begin(self, session: Session) -> None:
        """There is a new connection: what came by the last one is somebody else's."""
        self._session, self._receipts, self._prefetch = session, None, 0
        if self._tuning is not None:
            self._tuning.cancel()  # it is about the last one
            self._tuning = None
        self._waiting.clear()
        self.asked.clear()
        self._tune()

    async def close(self) -> None:
        """Once the broker knows what is settled."""
        if self._receipts is not None:
            await self._receipts.close()

    def _take(self, receipts: Receipts, delivery: Delivery) -> None:
        receipts.came(delivery.tag)
        try:
            copy = Copy(opened(delivery.message, delivery.key), receipts, delivery.tag)
        except Exception as error:
            self._trouble(f"a message in {topology.work_queue(self.group)} is no job: {error}")
            receipts.reject(delivery.tag, requeue=False)  # to the dead letters, as it is
            return
        pause = copy.letter.due / 1000.0 - time.time()
        if pause >= topology.RUNGS[0].pause / 1000.0:
            self._put_off(copy, pause)
        elif pause > SLACK:
            asyncio.get_running_loop().call_later(pause, self.offer, copy)
        else:
            self.offer(copy)

    def offer(self, copy: Copy) -> None:
        """It may be begun, if it is to be."""
        if copy.letter.job.rules.gpus > self._gpus:
            self._leave(copy)
        elif copy.is_here and self._came(copy):
            self._waiting.append(copy)
            self.match()

    def _leave(self, copy: Copy) -> None:
        """To others: no worker here can ever run it."""
        needed = copy.letter.job.rules.gpus
        if not self._is_starved:
            self._is_starved = True
            self._trouble(
                f"a job of {self.group!r} needs {needed} GPUs, and a worker has {self._gpus} here: such jobs"
                " are left to other supervisors; say gpus= and workers= in penstock.toml,"
                f" [group.{self.group}]"
            )
        self._put_off(copy, ELSEWHERE)

    # How many are handed over ----------------------------------------------------------------------------

    def _tune(self) -> None:
        if self._session is not None and self._tuning is None and self._wanted() != self._prefetch:
            self._tuning = asyncio.ensure_future(self._retune(self._session))

    def _wanted(self) -> int:
        """So many may be unsettled here: a power of two times the workers, that changes seldom."""
        if self._hushed or self._paused:
            return 0
        wanted = self.held + max(0, self.room) + len(self.asked)
        if self._slots <= wanted <= self._prefetch <= 4 * wanted:
            return self._prefetch
        if wanted <= self._slots:
            return self._slots
        return min(MOST, 2 << (wanted - 1).bit_length())

    async def _retune(self, session: Session) -> None:
        try:
            while self._is_current() and (wanted := self._wanted()) != self._prefetch:
                await self._consume(session, wanted)
        except BrokerLost:
            pass  # with the next connection it begins anew
        except BrokerFault as error:
            self._trouble(str(error))
        finally:
            if self._is_current():
                self._tuning = None

    def _is_current(self) -> bool:
        """Whether nobody has begun anew meanwhile: the library may swallow it when a task is cancelled, and
        two would make two consumers."""
        return self._tuning is asyncio.current_task()

    async def _consume(self, session: Session, wanted: int) -> None:
        """A quorum queue does not hear of a change, so it is a new consumer each time."""
        receipts = self._receipts
        if receipts is None:
            receipts = Receipts(await session.channel())
            if self._is_current():
                self._receipts = receipts
        channel = receipts.channel
        await channel.leave()
        if not self._is_current():
            return
        if wanted < self._prefetch:
            while self._waiting:
                self._waiting.popleft().give_back()
        self._prefetch = wanted
        if wanted:
            queue = topology.work_queue(self.group)
            await channel.consume(
                queue, lambda delivery: self._take(receipts, delivery), prefetch=wanted, held=LONGEST
            )
