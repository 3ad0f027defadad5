"""Runs in the supervisor, in a thread of its own: the only one that talks to the store of jobs.

To commit is to wait for the disk, and the supervisor waits for nobody. So what is to be written lies in a
queue, and whatever lies there when the last commit is through is one transaction: alone a job waits for one
commit, many share them. Answers come back by the supervisor's loop.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Sequence

from penstock.runtime.jobs.book import Answer, Book, Request
from penstock.runtime.jobs.employer import Employer
from penstock.tasks.alive import Presence
from penstock.tasks.store import Store
from penstock.tasks.wake import WORK, Bell

PAUSE = 1.0
"""Seconds between two tries to write, where that fails."""
LAST_TRIES = 3
"""At the end: who comes after us finds our jobs running, and nobody there."""


class Clerk:
    """The store, as the supervisor reaches it."""

    def __init__(self, employer: Employer, loop: asyncio.AbstractEventLoop) -> None:
        """Begin work.

        Raises:
            EnvironmentFault: the store cannot be opened.
            OSError: there is no place for locks and bells beside it.
        """
        home = employer.home
        Store(home.store).close()  # what is wrong with it is said here and now
        presence = Presence(home.locks)
        self._loop = loop
        self._on_trouble = employer.on_trouble
        self._on_change = employer.on_change
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._bell = Bell(home.bells, WORK)  # before the first look
        loop.add_reader(self._bell.fileno(), self._rung)

        def work() -> None:
            try:
                book = Book(home, presence, run_base=employer.run_base, keeping=employer.keeping)
                book.open(
                    list(employer.groups), sum(employer.groups.values()), employer.schedules, employer.gpus
                )
                self._work(book)
                book.close()
            except Exception as error:
                self._answer([(_fail, error)])
            finally:
                presence.close()

        self._thread = threading.Thread(target=work, name="penstock-clerk", daemon=True)
        self._thread.start()

    def ask(self, request: Request) -> None:
        """Have it done, soon."""
        self._requests.put(request)

    def hush(self, group: str) -> None:
        """Nothing is left of a wish: each is answered at once."""

    async def close(self) -> None:
        """Finish what is asked for, and leave."""
        self._requests.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        self._loop.remove_reader(self._bell.fileno())
        self._bell.close()

    def _rung(self) -> None:
        self._bell.clear()
        self._on_change()

    # In its thread ---------------------------------------------------------------------------------------

    def _work(self, book: Book) -> None:
        ending = False
        while not ending:
            batch = self._next()
            ending = None in batch
            self._persist(book, [each for each in batch if each is not None], ending=ending)

    def _next(self) -> list[Request | None]:
        """All that waits, once something does."""
        batch = [self._requests.get()]
        while True:
            try:
                batch.append(self._requests.get_nowait())
            except queue.Empty:
                return batch

    def _persist(self, book: Book, batch: list[Request], *, ending: bool) -> None:
        """Do it, however often that has to be tried: a disk that is full will not be so for ever."""
        tries = 0
        while batch and not (ending and tries >= LAST_TRIES):
            try:
                self._answer(book.serve(batch))
                return
            except (sqlite3.OperationalError, OSError) as error:
                tries += 1
                if tries == 1:
                    self._answer([(self._on_trouble, f"the store of jobs cannot be written: {error}")])
                threading.Event().wait(PAUSE)

    def _answer(self, answers: Sequence[Answer]) -> None:
        """All at once: to wake the loop costs more than an answer."""
        try:
            self._loop.call_soon_threadsafe(_tell, answers)
        except RuntimeError:
            pass  # the run has ended, and nobody wants to know


def _tell(answers: Sequence[Answer]) -> None:
    for then, answer in answers:
        then(answer)


def _fail(error: Exception) -> None:
    raise error
