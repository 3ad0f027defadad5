"""Several jobs as one: what ``submit_many`` and ``group(...).submit()`` give."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any, Dict, Generic, Iterable, Iterator, List, Optional, Sequence, TypeVar, Union, overload

from penstock.errors import TimedOut
from penstock.pipeline.duration import Duration, seconds
from penstock.tasks.client import Client
from penstock.tasks.handle import Job, Progress
from penstock.tasks.job import LIVE

R = TypeVar("R")

STANDINGS = "SELECT id, state, progress FROM job WHERE id IN (SELECT value FROM json_each(?))"


class Jobs(Sequence[Job[R]], Generic[R]):
    """A list of jobs, in the order of their calls, that can be waited for, looked at and cancelled as one.

    It holds ids and nothing else: it may be forgotten, and the jobs go on.
    """

    def __init__(self, jobs: Iterable[Job[R]], client: Client) -> None:
        self._jobs = list(jobs)
        self._client = client

    def __repr__(self) -> str:
        return f"<Jobs {len(self)}>"

    def __len__(self) -> int:
        return len(self._jobs)

    @overload
    def __getitem__(self, at: int) -> Job[R]: ...
    @overload
    def __getitem__(self, at: slice) -> List[Job[R]]: ...
    def __getitem__(self, at: Union[int, slice]) -> Union[Job[R], List[Job[R]]]:
        """One, or some."""
        return self._jobs[at]

    def results(self, timeout: Optional[Duration] = None) -> List[R]:
        """What all of them returned, in their order; waits for them.

        Args:
            timeout: How long to wait for all, with its unit: ``"10m"``; as long as it takes, unless said.

        Raises:
            JobFailed: one is dead. It is raised as soon as that is known; the others go on.
            JobCancelled: one was cancelled.
            TimedOut: one is neither done nor dead; all go on.
        """
        for job in self.as_completed(timeout):
            if job.state != "done":
                job.result()
        return [job.result() for job in self._jobs]

    def as_completed(self, timeout: Optional[Duration] = None) -> Iterator[Job[R]]:
        """Each of them as it is done, dead or cancelled; first those that are already.

        Raises:
            TimedOut: not all are, after ``timeout``.
        """
        until = None if timeout is None else time.monotonic() + seconds(timeout)
        waiting = {job.id: job for job in self._jobs}
        with self._client.watch() as watch:
            while True:
                live = {id for id, state, _ in self._standings(waiting) if state in LIVE}
                yield from [waiting.pop(id) for id in list(waiting) if id not in live]
                if not waiting:
                    return
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise TimedOut(f"after {timeout} {len(waiting)} of {len(self)} jobs are not done")
                watch.wait(left)

    @property
    def counts(self) -> Dict[str, int]:
        """How many are in each state: ``{"done": 7, "running": 2, "ready": 1}``."""
        return dict(Counter(state for _, state, _ in self._standings(job.id for job in self._jobs)))

    @property
    def progress(self) -> Progress:
        """How far they are together, from 0 to 1: what is over counts 1, what runs as far as it says; and how
        many are in each state."""
        standings = self._standings(job.id for job in self._jobs)
        parts = [1.0 if state not in LIVE else progress or 0.0 for _, state, progress in standings]
        counts = Counter(state for _, state, _ in standings)
        return Progress(sum(parts) / len(parts) if parts else 1.0, dict(counts))

    def cancel(self) -> None:
        """Have none of them begun (again)."""
        from penstock.tasks.schema import writing

        with self._client.writing() as store, writing(store.db):  # one wait for the disk
            for job in self._jobs:
                store.cancel(job.id)

    def _standings(self, ids: Iterable[str]) -> List[Any]:
        with self._client.store() as store:
            return store.db.execute(STANDINGS, (json.dumps(list(ids)),)).fetchall()
