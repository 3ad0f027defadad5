"""The desk of a store on this machine.

One connection for all threads, which take turns: SQLite writes one after the other in any case, and a thread
that ends leaves nothing open.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Iterator, List, Optional, Sequence, Tuple

from penstock.errors import EnvironmentFault
from penstock.pipeline.place import near
from penstock.tasks import steering, survey
from penstock.tasks.desk import Desk, Figures, JobState, Piece, Queue, Timing, Watch
from penstock.tasks.filter import ANY, Filter
from penstock.tasks.follow import read_piece
from penstock.tasks.home import Home
from penstock.tasks.job import Attempt, JobRow, NewJob, wall
from penstock.tasks.shortage import shortages
from penstock.tasks.store import Store
from penstock.tasks.wake import NEWS, WORK, Bell, ring

if TYPE_CHECKING:
    from penstock.tasks.task import Task

LOOK = 0.1
"""Seconds between two looks at a log that is followed, and to which nothing is added."""
NET = 5.0
"""Seconds after which who waits looks again though nobody has rung."""


class LocalDesk(Desk):
    """Of one file."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._lock = threading.RLock()
        self._opened: Optional[Tuple[int, Store]] = None
        self._groups: set[str] = set()

    # The store, for as long as one act takes -------------------------------------------------------------

    @contextmanager
    def store(self) -> Iterator[Store]:
        """It, for who only looks.

        Raises:
            EnvironmentFault: it cannot be opened.
        """
        with self._lock:
            yield self._open()

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """It, for who changes something: those whom it concerns learn of it once it is on disk.

        Raises:
            EnvironmentFault: it cannot be opened, or not be written; then nothing has changed.
        """
        with self.store() as store:
            try:
                yield store
            except sqlite3.Error as error:
                raise EnvironmentFault(
                    f"the store of jobs, {self.home.store}, cannot be written: {error}"
                ) from error
        ring(self.home.bells, WORK, NEWS)

    def _open(self) -> Store:
        if self._opened is None or self._opened[0] != os.getpid():
            # A connection does not live through a fork, and may not even be closed then; so it is kept.
            self._inherited = self._opened
            self._opened = os.getpid(), Store(self.home.store, shared=True)
        return self._opened[1]

    # See ``Desk`` ----------------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """See ``Desk``."""
        return near(self.home.store)

    @property
    def is_there(self) -> bool:
        """See ``Desk``."""
        return os.path.exists(self.home.store)

    def now(self) -> int:
        """See ``Desk``."""
        return wall()

    def close(self) -> None:
        """See ``Desk``."""
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._opened[1].close()
                self._opened = None

    def declare(self, task: Task[Any, Any]) -> None:
        """See ``Desk``."""
        if task.group not in self._groups:
            with self.writing() as store:
                store.add_group(task.group)
            self._groups.add(task.group)

    def submit(self, jobs: Sequence[NewJob]) -> List[str]:
        """See ``Desk``; all of them or none."""
        with self.writing() as store:
            ids = store.submit(jobs)
            short = _short(store, jobs)
        if short:
            warnings.warn(short, stacklevel=3)
        return ids

    def find(self, text: str) -> List[str]:
        """See ``Desk``."""
        with self.store() as store:
            return survey.find(store, text)

    def job(self, id: str) -> Optional[JobRow]:
        """See ``Desk``."""
        with self.store() as store:
            return store.job(id)

    def jobs(self, where: Filter = ANY, *, limit: int = -1) -> List[JobRow]:
        """See ``Desk``."""
        with self.store() as store:
            return store.jobs(where, limit=limit)

    def states(self, ids: Sequence[str]) -> List[JobState]:
        """See ``Desk``."""
        with self.store() as store:
            return survey.states(store, ids)

    def results(self, ids: Sequence[str]) -> List[Optional[bytes]]:
        """See ``Desk``."""
        with self.store() as store:
            return [store.result(id) for id in ids]

    def arguments(self, id: str) -> Optional[bytes]:
        """See ``Desk``."""
        with self.store() as store:
            return store.arguments(id)

    def attempts(self, id: str) -> List[Attempt]:
        """See ``Desk``."""
        with self.store() as store:
            return store.attempts(id)

    def logs(self, id: str, attempt: Optional[int] = None) -> str:
        """See ``Desk``; the whole of it, as long as the files are there."""
        with self.store() as store:
            row, ended = store.job(id), {each.fence: each for each in store.attempts(id)}
        wanted = range(1, (row.fence if row else 0) + 1) if attempt is None else (attempt,)
        return "".join(self._log(id, fence, ended.get(fence)) for fence in wanted)

    def _log(self, id: str, fence: int, ended: Optional[Attempt]) -> str:
        path = self.home.log(id, fence)  # whatever is said of where it lies
        if not os.path.exists(path):
            return ended.tail if ended else ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def piece(self, id: str, attempt: int, begin: int) -> Optional[Piece]:
        """See ``Desk``."""
        with self.store() as store:
            goes_on = store.is_running(id, attempt)  # first: what is printed until it ends is there then
        piece = read_piece(self.home.log(id, attempt), begin, goes_on=goes_on)
        if piece is not None and goes_on and not piece.text:
            time.sleep(LOOK)
        return piece

    def queues(self) -> List[Queue]:
        """See ``Desk``."""
        with self.store() as store:
            return survey.queues(store)

    def figures(self) -> List[Figures]:
        """See ``Desk``; reads all jobs."""
        with self.store() as store:
            return survey.figures(store)

    def timings(self) -> List[Timing]:
        """See ``Desk``."""
        with self.store() as store:
            return survey.timings(store)

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """See ``Desk``."""
        bell = Bell(self.home.bells, NEWS)
        try:
            yield BellWatch(bell)
        finally:
            bell.close()

    def cancel(self, ids: Sequence[str], why: str = "") -> List[str]:
        """See ``Desk``."""
        with self.writing() as store:
            return steering.cancel(store, ids, why)

    def requeue(self, ids: Sequence[str]) -> List[str]:
        """See ``Desk``."""
        with self.writing() as store:
            return store.requeue(ids)

    def amend(self, id: str, args: bytes) -> bool:
        """See ``Desk``."""
        with self.writing() as store:
            return store.amend(id, args)

    def remove(self, ids: Sequence[str]) -> List[str]:
        """See ``Desk``."""
        with self.writing() as store:
            return store.remove(ids)

    def pause(self, groups: Sequence[str], why: str = "") -> None:
        """See ``Desk``."""
        with self.writing() as store:
            steering.pause(store, groups, why)

    def resume(self, groups: Sequence[str]) -> None:
        """See ``Desk``."""
        with self.writing() as store:
            steering.resume(store, groups)


def _short(store: Store, jobs: Sequence[NewJob]) -> str:
    needed = {(job.group, job.rules.gpus) for job in jobs if job.rules.gpus}
    return shortages(needed, survey.queues(store)) if needed else ""


class BellWatch(Watch):
    """By a bell that is rung after every commit."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell

    def wait(self, timeout: Optional[float] = None) -> None:
        """See ``Watch``."""
        self._bell.wait(NET if timeout is None else min(NET, timeout))

    async def heard(self) -> None:
        """See ``Watch``."""
        loop, rung = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._bell.fileno(), rung.set)
        try:
            await asyncio.wait_for(rung.wait(), NET)
        except asyncio.TimeoutError:
            pass
        finally:
            loop.remove_reader(self._bell.fileno())
            self._bell.clear()
