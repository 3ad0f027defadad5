"""Jobs in the process of a test: run at once when they are submitted, with a clock put forward by hand.

What is real: the check of the arguments, the codec (so what arrives is a copy), the store (in memory), unique
keys, priorities, pauses, retries and back-off, contexts, results. What is not: processes. So nothing is
killed: a ``timeout`` has no effect, and nothing is cancelled while it runs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from penstock.errors import TimedOut
from penstock.pipeline.duration import Duration, seconds
from penstock.runtime.jobs import verdicts
from penstock.runtime.jobs.post import work_of
from penstock.runtime.jobwire import JobNote, Work
from penstock.runtime.worker.jobs import attempt
from penstock.runtime.worker.jobs.jobcontext import LiveJobContext
from penstock.runtime.worker.jobs.taskcode import TaskCode
from penstock.tasks import outputs, plan, timetable
from penstock.tasks.connect import instead
from penstock.tasks.desk import Watch
from penstock.tasks.home import Home
from penstock.tasks.job import Claim, JobRow, wall
from penstock.tasks.local import LocalDesk
from penstock.tasks.settle import Closing, Done
from penstock.tasks.store import Store, Word
from penstock.tasks.task import Task

ALL_GPUS = 1_000_000
OWNER = "inline"


class InlineJobs(LocalDesk):
    """What ``penstock.testing.jobs()`` gives."""

    def __init__(self, directory: str, now: datetime | None = None) -> None:
        super().__init__(Home(os.path.join(directory, "jobs.db")))
        self._clock = wall() if now is None else round(now.timestamp() * 1000)
        self._memory = Store(":memory:", now=self.now, jitter=lambda: 0.0, shared=True)
        self._tasks: dict[tuple[str, str], Task[Any, Any]] = {}
        self._codes: dict[tuple[str, str], TaskCode] = {}
        self._is_running = False

    def now(self) -> int:
        """What the clock says: milliseconds since 1970."""
        return self._clock

    def advance(self, by: Duration) -> None:
        """Put the clock forward, and run what is due then, one after the other as it comes to be:
        ``jobs.advance("10m")``."""
        end = self._clock + round(seconds(by) * 1000)
        self._plan()
        while (due := self._memory.next_due()) is not None and due <= end:
            self._clock = max(self._clock, due)
            self._run()
        self._clock = end

    def schedule(self, *tasks: Task[Any, Any]) -> None:
        """Have these called by themselves from now on, as their ``every=`` or ``cron=`` says; no others."""
        for task in tasks:
            self.declare(task)
        groups = list(self._memory.groups())
        timetable.declare(self._memory, groups, plan.schedules(tasks, groups), self._clock)
        self._plan()

    def close(self) -> None:
        """Let go of the store."""
        self._memory.close()

    @property
    def rows(self) -> list[JobRow]:
        """All jobs there are, oldest first."""
        return self._memory.jobs()[::-1]

    # What a desk does ------------------------------------------------------------------------------------

    def _open(self) -> Store:
        return self._memory

    def declare(self, task: Task[Any, Any]) -> None:
        """Know the code of that task."""
        super().declare(task)
        self._tasks[task.group, task.name] = task

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """The store; what may run by what was changed runs at once."""
        with super().writing() as store:
            yield store
        self._run()

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """Waiting puts the clock forward, as far as the next job that is due."""
        yield Patience(self)

    def wait(self, timeout: float | None) -> None:
        """Let time pass until something happens.

        Raises:
            TimedOut: nothing would, or not within so many seconds.
        """
        due = self._memory.next_due()
        left = None if due is None else max(0, due - self._clock) / 1000
        if left is None or (timeout is not None and left > timeout):
            raise TimedOut("nothing more happens by itself: the group is paused, or the job comes later")
        self.advance(f"{left:f}s")

    # Running ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """All that is due. What a job submits meanwhile comes after it."""
        if self._is_running:
            return
        self._is_running = True
        try:
            while claims := [claim for group in self._memory.groups() for claim in self._claim(group)]:
                for claim in claims:
                    self._attempt(claim)
                self._plan()
        finally:
            self._is_running = False

    def _plan(self) -> None:
        timetable.plan(self._memory, list(self._memory.groups()), self._clock)

    def _claim(self, group: str) -> list[Claim]:
        return self._memory.claim(OWNER, group, gpus=ALL_GPUS)

    def _attempt(self, claim: Claim) -> None:
        work = work_of(claim, self.home, self.home.log(claim.id, claim.fence))
        context = self._context(work)
        codes = {claim.task: self._code(claim, context)} if (claim.group, claim.task) in self._tasks else {}
        outcome = verdicts.of_word(attempt.run(work, context, codes))
        if isinstance(outcome, Done):
            outputs.publish(work.out, self.home.out(claim.id))
        else:
            outputs.discard(work.out)
        self._memory.close_attempts([Closing(claim.id, claim.fence, outcome, OWNER, os.getpid())])

    def _context(self, work: Work) -> LiveJobContext:
        context = LiveJobContext(
            work,
            config={},
            log=logging.getLogger("penstock.task"),
            stopping=lambda: False,
            say=self._note,
            nudge=lambda: context.tell(),  # noqa: PLW0108  it is made by this very call
        )
        return context

    def _code(self, claim: Claim, context: LiveJobContext) -> TaskCode:
        """Of a task, set up when it is first needed, as a worker does it."""
        key = claim.group, claim.task
        if key not in self._codes:
            code = TaskCode(self._tasks[key].reference, _completed)
            code.setup(context)
            self._codes[key] = code
        return self._codes[key]

    def _note(self, said: JobNote) -> None:
        word = Word(said.id, said.fence, said.progress, said.numbers, said.resume_uri, said.resume_step)
        self._memory.note([word])


class Patience(Watch):
    """Of who waits in a test: nobody rings, time passes."""

    def __init__(self, jobs: InlineJobs) -> None:
        self._jobs = jobs

    def wait(self, timeout: float | None = None) -> None:
        """See ``Watch.wait``."""
        self._jobs.wait(timeout)

    async def heard(self) -> None:
        """See ``Watch.heard``."""
        self._jobs.wait(None)


def _completed(awaitable: Any) -> Any:
    """What it answers. In a thread: a test that is async itself has a loop in this one."""

    async def wait() -> Any:
        return await awaitable

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, wait()).result()


@contextmanager
def jobs(now: datetime | None = None) -> Iterator[InlineJobs]:
    """For the length of a ``with`` block, jobs that are submitted run in this process, at once:

        with penstock.testing.jobs() as jobs:
            assert train.submit("vgg").result().accuracy > 0.9
            report.options(delay="1h").submit()
            jobs.advance("1h")

    Nothing is on the disk but what jobs write into ``ctx.out_dir``, and that is gone with the block. Waiting
    for a job puts the clock forward to when it is tried again. It begins at ``now``; else with the time of
    day.
    """
    with tempfile.TemporaryDirectory(prefix="penstock-jobs-") as directory:
        made = InlineJobs(directory, now)
        try:
            with instead(made):
                yield made
        finally:
            made.close()
