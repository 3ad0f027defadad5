"""What one process has to do with the jobs of a machine: hand them in, ask after them, wait for them.

One connection for all threads, which take turns: SQLite writes one after the other in any case, and a thread
that ends leaves nothing open.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Tuple

from penstock.errors import EnvironmentFault
from penstock.tasks.home import Home, locate
from penstock.tasks.job import NewJob, wall
from penstock.tasks.wake import NEWS, WORK, Bell, ring

if TYPE_CHECKING:
    from penstock.tasks.store import Store
    from penstock.tasks.task import Task

NET = 5.0
"""Seconds after which who waits looks again though nobody has rung."""


class Client:
    """Of one store. Any thread may call it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._lock = threading.RLock()
        self._opened: Optional[Tuple[int, Store]] = None
        self._groups: set[str] = set()

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store, for as long as one turn takes.

        Raises:
            EnvironmentFault: it cannot be opened.
        """
        with self._lock:
            yield self._open()

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """The store, for who changes something: those whom it concerns learn of it once it is on disk.

        Raises:
            EnvironmentFault: it cannot be opened, or not be written; then nothing has changed.
        """
        with self.store() as store:
            import sqlite3

            try:
                yield store
            except sqlite3.Error as error:
                raise EnvironmentFault(
                    f"the store of jobs, {self.home.store}, cannot be written: {error}"
                ) from error
        ring(self.home.bells, WORK)
        ring(self.home.bells, NEWS)

    def _open(self) -> Store:
        from penstock.tasks.store import Store  # a worker that submits nothing needs no SQLite

        if self._opened is None or self._opened[0] != os.getpid():
            # A connection does not live through a fork, and may not even be closed then; so it is kept.
            self._inherited = self._opened
            self._opened = os.getpid(), Store(self.home.store, shared=True)
        return self._opened[1]

    def close(self) -> None:
        """Let go; who asks again opens it again."""
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._opened[1].close()
                self._opened = None

    def now(self) -> int:
        """Milliseconds since 1970."""
        return wall()

    def submit(self, jobs: Sequence[NewJob]) -> List[str]:
        """Have them on disk, all or none: their ids, or those of live ones with the same unique key.

        Raises:
            EnvironmentFault: the store cannot be opened.
            OSError: the disk is full.
        """
        with self.writing() as store:
            return store.submit(jobs)

    def declare(self, task: Task[Any, Any]) -> None:
        """There is such a task: jobs may be submitted to its group."""
        if task.group not in self._groups:
            with self.writing() as store:
                store.add_group(task.group)
            self._groups.add(task.group)

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """To wait with until something has changed; made before the look that finds that nothing has."""
        bell = Bell(self.home.bells, NEWS)
        try:
            yield Watch(bell)
        finally:
            bell.close()


class Watch:
    """Hears that something in a store has changed. Bind first, look then, wait last."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell

    def wait(self, timeout: Optional[float] = None) -> None:
        """Until it is time to look again: something has changed, or for ``timeout`` seconds nothing has, or
        for so long that word of it may have been lost."""
        self._bell.wait(NET if timeout is None else min(NET, timeout))

    async def heard(self) -> None:
        """``wait``, for who has an event loop."""
        loop, rung = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._bell.fileno(), rung.set)
        try:
            await asyncio.wait_for(rung.wait(), NET)
        except asyncio.TimeoutError:
            pass
        finally:
            loop.remove_reader(self._bell.fileno())
            self._bell.clear()


_known: Dict[str, Client] = {}
_instead: List[Client] = []


def client(directory: str) -> Client:
    """The one for an app in ``directory``; for each store there is one in a process.

    Raises:
        UserError: ``penstock.toml`` says nonsense about where it is.
    """
    if _instead:
        return _instead[-1]
    home = locate(directory, os.environ)
    found = _known.get(home.store)
    if found is None:
        found = _known.setdefault(home.store, Client(home))
        atexit.register(found.close)
    return found


@contextmanager
def instead(other: Client) -> Iterator[None]:
    """``other`` for whoever asks for one meanwhile: what tests do."""
    _instead.append(other)
    try:
        yield
    finally:
        _instead.remove(other)
