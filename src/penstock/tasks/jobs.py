"""Several jobs as one: what ``submit_many`` and ``group(...).submit()`` give."""

from __future__ import annotations

import time
from collections import Counter
from typing import (
    Any,
    Dict,
    Generator,
    Generic,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
    overload,
)

from penstock.errors import BrokerFault, TimedOut
from penstock.pipeline.duration import Duration, seconds
from penstock.tasks.desk import Desk, JobState
from penstock.tasks.handle import Job, Progress
from penstock.tasks.job import LIVE

R = TypeVar("R")

BATCH = 100
"""Results that are asked for at a time: they may be large."""


class Jobs(Sequence[Job[R]], Generic[R]):
    """A list of jobs, in the order of their calls, that can be waited for, looked at and cancelled as one.

    It holds ids and nothing else: it may be forgotten, and the jobs go on.
    """

    def __init__(self, jobs: Iterable[Job[R]], desk: Desk) -> None:
        self._jobs = list(jobs)
        self._desk = desk

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
        for job, state in self._ending(timeout):
            if state != "done":
                job.result()
        return [value for some in _batches(self._jobs) for value in self._values(some)]

    def _values(self, jobs: Sequence[Job[R]]) -> Iterator[R]:
        bodies = self._desk.results([job.id for job in jobs])
        return (job.value(body) for job, body in zip(jobs, bodies))

    def __await__(self) -> Generator[Any, None, List[R]]:
        """``await jobs``: ``results`` for who has an event loop."""
        return self._settled().__await__()

    async def _settled(self) -> List[R]:
        from asyncio import to_thread  # a desk may be far away, and the loop has others to serve

        waiting, states = [job.id for job in self._jobs], None
        with self._desk.watch() as watch:
            while True:
                states = await to_thread(self._looked, waiting, states)
                if any(states.get(id) not in {*LIVE, "done"} for id in waiting):
                    break  # ``results`` says what has become of it
                waiting = [id for id in waiting if states[id] in LIVE]
                if not waiting:
                    break
                await watch.heard()
        return await to_thread(self.results)

    def as_completed(self, timeout: Optional[Duration] = None) -> Iterator[Job[R]]:
        """Each of them as it is done, dead or cancelled; first those that are already.

        Raises:
            TimedOut: not all are, after ``timeout``.
        """
        return (job for job, _ in self._ending(timeout))

    def _ending(self, timeout: Optional[Duration]) -> Iterator[Tuple[Job[R], str]]:
        """Each as it is over, with its state; empty: it is not there any more."""
        until = None if timeout is None else time.monotonic() + seconds(timeout)
        waiting = {job.id: job for job in self._jobs}
        states: Optional[Dict[str, str]] = None
        with self._desk.watch() as watch:
            while True:
                states = self._looked(waiting, states)
                over = [id for id in waiting if states.get(id) not in LIVE]
                yield from [(waiting.pop(id), states.get(id, "")) for id in over]
                if not waiting:
                    return
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise TimedOut(f"after {timeout} {len(waiting)} of {len(self)} jobs are not done")
                watch.wait(left)

    def _looked(self, ids: Iterable[str], seen: Optional[Dict[str, str]]) -> Dict[str, str]:
        """How these stand. Who waits already waits on while nobody can say: for ``seen``, that is."""
        try:
            return {id: state for id, state, _ in self._states(ids)}
        except BrokerFault:
            if seen is None:
                raise
            return seen

    @property
    def counts(self) -> Dict[str, int]:
        """How many are in each state: ``{"done": 7, "running": 2, "ready": 1}``."""
        return dict(Counter(str(state) for _, state, _ in self._states(job.id for job in self._jobs)))

    @property
    def progress(self) -> Progress:
        """How far they are together, from 0 to 1: what is over counts 1, what runs as far as it says; and how
        many are in each state."""
        stands = self._states(job.id for job in self._jobs)
        parts = [1.0 if state not in LIVE else progress or 0.0 for _, state, progress in stands]
        counts = Counter(str(state) for _, state, _ in stands)
        return Progress(sum(parts) / len(parts) if parts else 1.0, dict(counts))

    def cancel(self) -> None:
        """Have none of them begun (again)."""
        self._desk.cancel([job.id for job in self._jobs])

    def _states(self, ids: Iterable[str]) -> List[JobState]:
        return self._desk.states(list(ids))


def _batches(jobs: Sequence[Job[R]]) -> Iterator[Sequence[Job[R]]]:
    return (jobs[at : at + BATCH] for at in range(0, len(jobs), BATCH))
