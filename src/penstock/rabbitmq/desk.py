"""The desk of a broker: jobs are handed in as messages, and the hub, which keeps the store, is asked about
them.

A job is handed in when the broker has it in the queue of its group *and* in that of the hub, confirmed: that
needs no hub. A moment passes before the store has it, so who asks for a job whose id is that young is not
told that there is none before that moment is over.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from penstock.errors import BrokerFault, EnvironmentFault, PenstockError, TimedOut, Unroutable, UserError
from penstock.pipeline.nearest import nearest
from penstock.rabbitmq import asks, letters, topology
from penstock.rabbitmq.background import Background
from penstock.rabbitmq.client import Client
from penstock.rabbitmq.express import Express
from penstock.rabbitmq.message import Posting
from penstock.rabbitmq.newswatch import NewsWatch
from penstock.rabbitmq.url import BrokerUrl
from penstock.tasks.depot import Depot
from penstock.tasks.desk import Desk, Figures, JobState, Piece, Queue, Timing, Watch
from penstock.tasks.files import read
from penstock.tasks.filter import ANY, Filter
from penstock.tasks.job import Attempt, JobRow, NewJob, new_id, wall
from penstock.tasks.shortage import shortages

if TYPE_CHECKING:
    from penstock.tasks.task import Task

Found = TypeVar("Found")

PATIENCE = 10.0
"""Seconds that a broker and a hub have for one act, unless said otherwise."""
SELDOM = 60.0
"""Seconds between two questions that nobody waits for."""
ASIDE = 2.0
"""Seconds for what only makes a sentence better."""
YOUNG = 600_000
"""Milliseconds from its submission within which a job that the hub does not know is one that it has not come
to yet: it was away, or there are many."""
IN_ORDER = (
    "priority= does not count over a broker, where the jobs of a group are begun in the order of their"
    " submission; what must not wait behind others is a group of its own, with workers of its own"
)
NOWHERE = Depot(os.devnull)
AGAIN = 0.1
"""Seconds after which the hub is asked again whether it has come to a job that is to be cancelled."""


class Line(NamedTuple):
    """What one process has open."""

    background: Background
    client: Client
    express: Express

    def done(self, act: Callable[[Client], Coroutine[Any, Any, Found]]) -> Found:
        """What ``act`` gives; it is done in the background, and we wait."""
        return self.background.done(act(self.client))


class RabbitDesk(Desk):
    """Of one broker. It is connected when it is first used, and again after that was lost."""

    def __init__(self, url: BrokerUrl, depot: Depot = NOWHERE, *, patience: float = 0.0) -> None:
        """Nothing is done yet.

        Args:
            url: Where the broker is.
            depot: For what is too large for a message.
            patience: Seconds for one act, then it is an error; 0: as the URL says, or as usual.
        """
        self._url = url
        self._depot = depot
        self._patience = patience or url.timeout or PATIENCE
        self._ask_again = 0.0
        """When the hub may be asked again for what only makes a warning (monotonic)."""
        self._store = ""
        """The id of the hub's, once we have asked."""
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
            line.express.close()
            line.background.close()

    def declare(self, task: Task[Any, Any]) -> None:
        """See ``Desk``. Groups are declared by `penstock broker init`."""

    def submit(self, jobs: Sequence[NewJob]) -> list[str]:
        """See ``Desk``. One whose unique key is live has an id of its own, by which that live one is found.

        Raises:
            Unroutable: there is no such group.
            UserError: the arguments are too large for a message, and there is no folder for them.
            BrokerFault: the broker cannot be reached, or has not confirmed all: some may have arrived.
            OSError: large arguments could not be written.
        """
        if any(job.priority for job in jobs):
            warnings.warn(IN_ORDER, stacklevel=3)
        jobs = [self._filed(job) if len(job.args) > topology.MOST_BODY else job for job in jobs]
        if any(job.needs for job in jobs):
            return self._linked(jobs)
        now = self.now()
        postings = [_posting(job, now) for job in jobs]
        try:
            self._publish(postings)
        except Unroutable:
            raise self._no_such_group({job.group for job in jobs}) from None
        self._warn_of_shortage(jobs)
        return [job.id for job in jobs]

    def _publish(self, postings: Sequence[Posting]) -> None:
        """Have the broker keep them. One by itself goes by the line of its own, where there is one."""
        end, line = time.monotonic() + self._patience, self._line
        if len(postings) == 1 and line.express.publish(line.client.node, postings[0], self._patience):
            return
        left = max(AGAIN, end - time.monotonic())
        line.done(lambda client: client.publish(postings, left))

    def _warn_of_shortage(self, jobs: Sequence[NewJob]) -> None:
        """Where jobs need GPUs, ask the hub; seldom, as nobody who submits is to wait for it."""
        needed = {(job.group, job.rules.gpus) for job in jobs if job.rules.gpus}
        if not needed or time.monotonic() < self._ask_again:
            return
        self._ask_again = time.monotonic() + SELDOM
        with suppress(EnvironmentFault, TimedOut):
            if short := shortages(needed, self._queues(ASIDE)):
                warnings.warn(short, stacklevel=4)

    def _filed(self, job: NewJob) -> NewJob:
        """With its arguments in a file that the hub and the workers see."""
        file = self._put(f"{job.id}.args", job.args, job.task, shared=not job.needs)
        return msgspec.structs.replace(job, args=b"", file=file)

    def _put(self, name: str, args: bytes, of: str, *, shared: bool = True) -> str:
        """What messages call the file."""
        self._store = self._store or self._asked(asks.Whose())
        if not shared or not self._depot.is_shared(self._store):
            raise UserError(
                f"{of}: {len(args):,} bytes of arguments are too many for a broker, which takes"
                f" {topology.MOST_BODY:,}; {self._depot.cure}"
            )
        return self._depot.put(self._store, name, args)

    def _fetched(self, body: asks.Body | None) -> bytes | None:
        """From its file, where it lies in one."""
        if not isinstance(body, asks.Filed):
            return body
        try:
            return read(self._depot.path(body.file))
        except (OSError, ValueError):
            raise UserError(f"it is too large to be sent over a broker; {self._depot.cure}") from None

    def _linked(self, jobs: Sequence[NewJob]) -> list[str]:
        """Jobs of which some wait for others: the hub alone can have all or none, so one has to be there."""
        size = sum(len(job.args) for job in jobs)
        if size > topology.MOST_BODY or len(jobs) > asks.MOST:
            raise UserError(
                f"{len(jobs):,} jobs that wait for each other, with {size:,} bytes of arguments, are too many"
                f" for a broker, which takes {asks.MOST:,} with {topology.MOST_BODY:,}; pass paths of files"
            )
        self._refuse_strangers({job.group for job in jobs})
        found: list[str] = self._asked(asks.Submit(list(jobs)))
        return found

    def _refuse_strangers(self, groups: set[str]) -> None:
        """The broker knows which groups there are; the hub, of which somebody has told it."""
        queues = {topology.work_queue(group): group for group in groups}
        missing = self._line.done(lambda client: client.missing(list(queues), self._patience))
        if missing:
            raise self._no_such_group({queues[each] for each in missing})

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
                        raise self._is_behind(id)
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
            some = ids[len(found) : len(found) + asks.MOST]
            bodies: list[asks.Body | None] = self._asked(asks.Results(list(some)))
            found += map(self._fetched, bodies)
        return found

    def arguments(self, id: str) -> bytes | None:
        """See ``Desk``."""
        return self._fetched(self._asked(asks.Arguments(id)))

    def attempts(self, id: str) -> list[Attempt]:
        """See ``Desk``."""
        found: list[Attempt] = self._asked(asks.Attempts(id))
        return found

    def logs(self, id: str, attempt: int | None = None) -> str:
        """See ``Desk``. The end of each: the files are where it ran."""
        row = self.job(id)
        texts = {each.fence: each.tail for each in self.attempts(id)}
        if row is not None and row.state == "running" and row.fence not in texts:
            piece = self.piece(id, row.fence, -1)
            texts[row.fence] = piece.text.decode("utf-8", "replace") if piece else ""
        return "".join(text for fence, text in texts.items() if attempt in {None, fence})

    def piece(self, id: str, attempt: int, begin: int) -> Piece | None:
        """See ``Desk``. Only who runs it, or has, can say, as long as he is there."""
        found: Piece | None = self._asked(asks.Log(id, attempt, begin))
        return found

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
        """See ``Desk``. Those that were submitted just now are waited for.

        Raises:
            BrokerFault: the hub has not come to all of them yet; the others are cancelled.
        """
        coming = self._coming(ids)
        done = self._cancelled(ids, why)
        end = time.monotonic() + self._patience
        while coming:
            if time.monotonic() >= end:
                raise self._is_behind(coming[0])
            time.sleep(AGAIN)
            asked, coming = coming, self._coming(coming)
            done += self._cancelled(asked, why)
        return done

    def _cancelled(self, ids: Sequence[str], why: str) -> list[str]:
        return [id for some in _parts(ids) for id in self._asked(asks.Cancel(some, why))]

    def _coming(self, ids: Sequence[str]) -> list[str]:
        """Those that were submitted just now, and that the hub does not know yet."""
        now = self.now()
        young = [id for id in ids if _is_young(id, now)]
        known = {each.id for some in _parts(young) for each in self._asked(asks.States(some))}
        return [id for id in young if id not in known]

    def _is_behind(self, id: str) -> BrokerFault:
        return BrokerFault(f"the hub at {self._url} has not come to job {id} yet; ask again")

    def requeue(self, ids: Sequence[str]) -> list[str]:
        """See ``Desk``."""
        return [id for some in _parts(ids) for id in self._asked(asks.Requeue(some))]

    def amend(self, id: str, args: bytes) -> bool:
        """See ``Desk``."""
        file = self._put(f"{id}.{wall()}.args", args, id) if len(args) > topology.MOST_BODY else ""
        found: bool = self._asked(asks.Amend(id, b"" if file else args, file))
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
        return self._lines.get(os.getpid()) or self._lines.setdefault(os.getpid(), self._new_line())

    def _new_line(self) -> Line:
        background = Background()
        return Line(background, Client(self._url), Express(background.later))

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
