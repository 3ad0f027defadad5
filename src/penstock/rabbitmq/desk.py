"""The desk of a broker: jobs are handed in as messages, and the hub, which keeps the store, is asked about
them.

A job is handed in when the broker has it in the queue of its group *and* in that of the hub, confirmed: that
needs no hub. A moment passes before the store has it, so who asks for a job whose id is that young is not
told that there is none before that moment is over.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from penstock.errors import BrokerFault, EnvironmentFault, PenstockError, TimedOut, Unroutable, UserError
from penstock.pipeline.nearest import nearest
from penstock.rabbitmq import asks, letters, topology
from penstock.rabbitmq.background import Background
from penstock.rabbitmq.client import Client, Posting
from penstock.rabbitmq.url import BrokerUrl
from penstock.tasks.desk import Desk, Figures, JobState, Queue, Timing, Watch
from penstock.tasks.filter import ANY, Filter
from penstock.tasks.job import Attempt, JobRow, NewJob, new_id, wall

if TYPE_CHECKING:
    from penstock.tasks.task import Task

Found = TypeVar("Found")

PATIENCE = 10.0
"""Seconds that a broker and a hub have for one act, unless said otherwise."""
ASIDE = 2.0
"""Seconds for what only makes a sentence better."""
YOUNG = 600_000
"""Milliseconds from its submission within which a job that the hub does not know is one that it has not come
to yet: it was away, or there are many."""
NET = 5.0
"""Seconds after which who waits looks again though nobody has rung."""
GATHER = 0.02
"""Seconds within which one look serves for all that has happened."""


class Line(NamedTuple):
    """What one process has open."""

    background: Background
    client: Client

    def done(self, act: Callable[[Client], Coroutine[Any, Any, Found]]) -> Found:
        """What ``act`` gives; it is done in the background, and we wait."""
        return self.background.done(act(self.client))


class RabbitDesk(Desk):
    """Of one broker. It is connected when it is first used, and again after that was lost."""

    def __init__(self, url: BrokerUrl, *, patience: float = PATIENCE) -> None:
        """Nothing is done yet.

        Args:
            url: Where the broker is.
            patience: Seconds for one act; then it is an error.
        """
        self._url = url
        self._patience = patience
        self._lines: dict[int, Line] = {}
        """By process: neither thread nor connection lives through a fork, nor may be closed then."""

    # See ``Desk`` ----------------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """See ``Desk``."""
        return str(self._url)

    @property
    def is_there(self) -> bool:
        """See ``Desk``."""
        return True

    def now(self) -> int:
        """See ``Desk``."""
        return wall()

    def close(self) -> None:
        """See ``Desk``."""
        line = self._lines.pop(os.getpid(), None)
        if line is not None:
            with suppress(PenstockError):
                line.background.done(line.client.close())
            line.background.close()

    def declare(self, task: Task[Any, Any]) -> None:
        """See ``Desk``. Groups are declared by `penstock broker init`."""

    def submit(self, jobs: Sequence[NewJob]) -> list[str]:
        """See ``Desk``. One whose unique key is live has an id of its own, by which that live one is found.

        Raises:
            Unroutable: there is no such group.
            UserError: the arguments are too large.
            BrokerFault: the broker cannot be reached, or has not confirmed all: some may have arrived.
        """
        if any(job.needs for job in jobs):
            return self._linked(jobs)
        now = self.now()
        postings = [_posting(job, now) for job in jobs]
        try:
            self._line.done(lambda client: client.publish(postings, self._patience))
        except Unroutable:
            raise self._no_such_group({job.group for job in jobs}) from None
        return [job.id for job in jobs]

    def _linked(self, jobs: Sequence[NewJob]) -> list[str]:
        """Jobs of which some wait for others: the hub alone can have all or none, so one has to be there."""
        size = sum(len(job.args) for job in jobs)
        if size > topology.MOST_BODY or len(jobs) > asks.MOST:
            raise UserError(
                f"{len(jobs):,} jobs that wait for each other, with {size:,} bytes of arguments, are too many"
                f" for a broker, which takes {asks.MOST:,} with {topology.MOST_BODY:,}; pass paths of files"
            )
        found: list[str] = self._asked(asks.Submit(list(jobs)))
        return found

    def find(self, text: str) -> list[str]:
        """See ``Desk``."""
        found: list[str] = self._asked(asks.Find(text))
        if not found and _is_young(text, self.now()) and (row := self.job(text)):
            return [row.id]
        return found

    def job(self, id: str) -> JobRow | None:
        """See ``Desk``. One that was submitted just now is waited for.

        Raises:
            BrokerFault: the hub has not come to it yet.
        """
        found: JobRow | None = self._asked(asks.Look(id))
        if found is None and _is_young(id, self.now()):
            end = time.monotonic() + self._patience
            with self.watch() as watch:
                while (found := self._asked(asks.Look(id))) is None:
                    if (left := end - time.monotonic()) <= 0:
                        raise BrokerFault(f"the hub at {self._url} has not come to job {id} yet; ask again")
                    watch.wait(left)
        return found

    def jobs(self, where: Filter = ANY, *, limit: int = -1) -> list[JobRow]:
        """See ``Desk``."""
        found: list[JobRow] = []
        while limit < 0 or len(found) < limit:
            wanted = asks.MOST if limit < 0 else min(asks.MOST, limit - len(found))
            page: list[JobRow] = self._asked(asks.Listing(where, wanted))
            found += page
            if len(page) < wanted:
                break
            where = where._replace(before=page[-1].seq)
        return found

    def states(self, ids: Sequence[str]) -> list[JobState]:
        """See ``Desk``."""
        found = [each for some in _parts(ids) for each in self._asked(asks.States(some))]
        known, now = {each.id for each in found}, self.now()
        coming = [id for id in ids if id not in known and _is_young(id, now)]
        return found + [JobState(id, "ready", None) for id in coming]

    def results(self, ids: Sequence[str]) -> list[bytes | None]:
        """See ``Desk``."""
        found: list[bytes | None] = []
        while len(found) < len(ids):
            found += self._asked(asks.Results(list(ids[len(found) : len(found) + asks.MOST])))
        return found

    def arguments(self, id: str) -> bytes | None:
        """See ``Desk``."""
        found: bytes | None = self._asked(asks.Arguments(id))
        return found

    def attempts(self, id: str) -> list[Attempt]:
        """See ``Desk``."""
        found: list[Attempt] = self._asked(asks.Attempts(id))
        return found

    def logs(self, id: str, attempt: int | None = None) -> str:
        """See ``Desk``. The end of each, once it is over: the files are where it ran."""
        return "".join(each.tail for each in self.attempts(id) if attempt in {None, each.fence})

    def queues(self) -> list[Queue]:
        """See ``Desk``."""
        return self._queues(self._patience)

    def figures(self) -> list[Figures]:
        """See ``Desk``."""
        found: list[Figures] = self._asked(asks.Stats())
        return found

    def timings(self) -> list[Timing]:
        """See ``Desk``."""
        found: list[Timing] = self._asked(asks.Timings())
        return found

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """See ``Desk``."""
        watch, line = NewsWatch(), self._line
        line.done(lambda client: client.listen(watch.ring))
        try:
            yield watch
        finally:
            line.client.forget(watch.ring)

    def cancel(self, ids: Sequence[str], why: str = "") -> list[str]:
        """See ``Desk``."""
        return [id for some in _parts(ids) for id in self._asked(asks.Cancel(some, why))]

    def requeue(self, ids: Sequence[str]) -> list[str]:
        """See ``Desk``."""
        return [id for some in _parts(ids) for id in self._asked(asks.Requeue(some))]

    def amend(self, id: str, args: bytes) -> bool:
        """See ``Desk``."""
        found: bool = self._asked(asks.Amend(id, args))
        return found

    def remove(self, ids: Sequence[str]) -> list[str]:
        """See ``Desk``."""
        return [id for some in _parts(ids) for id in self._asked(asks.Remove(some))]

    def pause(self, groups: Sequence[str], why: str = "") -> None:
        """See ``Desk``."""
        self._asked(asks.Pause(list(groups), why))

    def resume(self, groups: Sequence[str]) -> None:
        """See ``Desk``."""
        self._asked(asks.Resume(list(groups)))

    # Below -----------------------------------------------------------------------------------------------

    @property
    def _line(self) -> Line:
        return self._lines.get(os.getpid()) or self._lines.setdefault(
            os.getpid(), Line(Background(), Client(self._url))
        )

    def _asked(self, ask: asks.Ask, within: float | None = None) -> Any:
        patience = self._patience if within is None else within
        return asks.answer_of(ask, self._line.done(lambda client: client.ask(ask, patience)))

    def _queues(self, within: float) -> list[Queue]:
        found: list[Queue] = self._asked(asks.Queues(), within)
        return found

    def _no_such_group(self, groups: set[str]) -> Unroutable:
        """What to say of the one that is not there; which there are is known to the hub, if one answers."""
        known: list[str] = []
        with suppress(EnvironmentFault, TimedOut):
            known = [queue.group for queue in self._queues(ASIDE)]
        strange = sorted(groups - set(known)) or sorted(groups)
        names = ", ".join(map(repr, strange))
        hint = nearest(strange[0], known) or f"; penstock broker init --group {strange[0]} makes it"
        return Unroutable(f"{self._url} has no queue for the group {names}{hint}")


class NewsWatch(Watch):
    """By the hub's doorbell. It is rung by another thread."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def ring(self) -> None:
        """Something may have changed."""
        self._rung.set()
        waiting = self._waiting
        if waiting is not None:
            with suppress(RuntimeError):  # that loop was closed meanwhile
                waiting[0].call_soon_threadsafe(waiting[1].set)

    def wait(self, timeout: float | None = None) -> None:
        """See ``Watch``."""
        if self._rung.wait(NET if timeout is None else min(NET, timeout)):
            time.sleep(GATHER)
        self._rung.clear()

    async def heard(self) -> None:
        """See ``Watch``."""
        rung = asyncio.Event()
        self._waiting = asyncio.get_running_loop(), rung
        if not self._rung.is_set():
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(rung.wait(), NET)
        self._waiting = None
        await asyncio.sleep(GATHER)
        self._rung.clear()


def _posting(job: NewJob, now: int) -> Posting:
    key = topology.later_key(job.group) if job.run_at > now else topology.check_group(job.group)
    return Posting(topology.JOBS, key, letters.sealed(letters.Letter(job, submitted_at=now)))


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    return (list(ids[at : at + asks.MOST]) for at in range(0, len(ids), asks.MOST))


def _is_young(id: str, now: int) -> bool:
    """Whether it was submitted just now: an id of version 7 begins with the time."""
    try:
        made = int(id[:8] + id[9:13], 16)
    except ValueError:
        return False
    return len(id) == len(new_id()) and abs(now - made) < YOUNG
