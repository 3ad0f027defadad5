"""What ``submit`` gives: a job, to be asked and steered by whoever has its id, in whatever process."""

from __future__ import annotations

import time
from typing import Any, Generator, Generic, Iterator, List, NamedTuple, Optional, TypeVar, cast

from penstock.errors import BrokerFault, JobCancelled, JobFailed, TimedOut, UserError
from penstock.message.shape import converter
from penstock.pipeline.duration import Duration, seconds
from penstock.tasks import freight
from penstock.tasks.desk import Desk
from penstock.tasks.follow import follow
from penstock.tasks.job import LIVE, Attempt, JobRow, State
from penstock.tasks.script import SCRIPT

R = TypeVar("R")


class NoSuchJob(UserError):
    """The store has no job of that id or number: it is another store, or the job is done and was purged."""

    exit_code = 3


class Progress(NamedTuple):
    """How far a job has said that it is."""

    part: float
    """From 0 to 1; 0: it has said nothing."""
    numbers: dict[str, Any]
    """What it said besides: losses, counts, rates."""


class Job(Generic[R]):
    """A call that is on disk until it is done: ``job = train.submit(model="resnet50")``.

    It holds nothing but the id, so it may be forgotten; ``penstock.tasks.get(id)`` gives one again.
    Each property is a look at the store.

    Attributes:
        id: A UUID; those of one machine sort by time.
        result_type: What the annotation of its task says of the result.
    """

    def __init__(self, id: str, desk: Desk, result: Any = Any) -> None:
        self.id = id
        self._desk = desk
        self.result_type = result

    def __repr__(self) -> str:
        return f"<Job {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def row(self) -> JobRow:
        """All that is known of it now: its times, failures, worker, last cause.

        Raises:
            NoSuchJob: it is not in the store (any more).
        """
        found = self._desk.job(self.id)
        if found is None:
            raise NoSuchJob(f"there is no job {self.id} in {self._desk.place}")
        return found

    @property
    def state(self) -> State:
        """``scheduled``, ``ready``, ``running``, ``done``, ``dead`` or ``cancelled``."""
        return self.row.state

    @property
    def progress(self) -> Progress:
        """What it has last said by ``ctx.progress``."""
        row = self.row
        return Progress(row.progress or 0.0, row.numbers)

    @property
    def attempts(self) -> List[Attempt]:
        """Its attempts that have ended, oldest first, each with how."""
        return self._desk.attempts(self.id)

    # Waiting ---------------------------------------------------------------------------------------------

    def result(self, timeout: Optional[Duration] = None) -> R:
        """What the task returned, once it has.

        Args:
            timeout: How long to wait, with its unit: ``"30s"``; as long as it takes, unless said.

        Raises:
            JobFailed: it is dead; has the cause and the traceback.
            JobCancelled: it was cancelled.
            TimedOut: it is neither done nor dead; it goes on all the same.
            NoSuchJob: it is not in the store (any more).
        """
        *_, last = self._changes(timeout)
        return self._outcome(last)

    def __await__(self) -> Generator[Any, None, R]:
        """``await job``: ``result`` for who has an event loop."""
        return self._settled().__await__()

    async def _settled(self) -> R:
        from asyncio import to_thread  # a desk may be far away, and the loop has others to serve

        with self._desk.watch() as watch:
            row = await to_thread(lambda: self.row)
            while row.state in LIVE:
                await watch.heard()
                row = await to_thread(self._looked, row)
        return await to_thread(self._outcome, row)

    def _looked(self, seen: Optional[JobRow]) -> JobRow:
        """What is known of it. Who waits already waits on while nobody can say: for ``seen``, that is."""
        try:
            return self.row
        except BrokerFault:
            if seen is None:
                raise
            return seen

    def __iter__(self) -> Iterator[JobRow]:
        """What is known of it, now and again whenever that has changed, while it waits and runs."""
        return self._changes(None)

    def _changes(self, timeout: Optional[Duration]) -> Iterator[JobRow]:
        until = None if timeout is None else time.monotonic() + seconds(timeout)
        seen: Optional[JobRow] = None
        with self._desk.watch() as watch:
            while True:
                row = self._looked(seen)
                if row != seen:
                    yield row
                    seen = row
                if row.state not in LIVE:
                    return
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise TimedOut(f"after {timeout} job {self.id} is {row.state}")
                watch.wait(left)

    def _outcome(self, row: JobRow) -> R:
        if row.state == "cancelled":
            why = f": {row.cause}" if row.cause else ""
            raise JobCancelled(f"job {self.id} ({row.task}) was cancelled{why}", job=self.id)
        if row.state == "dead":
            raise self._failure(row)
        (body,) = self._desk.results([self.id])
        return self.value(body)

    def value(self, body: Optional[bytes]) -> R:
        """The result of which the store has ``body``."""
        value = freight.unpacked(body) if body else None
        build = converter(self.result_type)
        return cast("R", value if build is None or value is None else build(value))

    def _failure(self, row: JobRow) -> JobFailed:
        failed = [each for each in self.attempts if each.outcome == "failed"]
        last = failed[-1] if failed else None
        return JobFailed(
            f"job {self.id} ({row.task}) is dead after {_times(row.failures)}: {row.cause}",
            job=self.id,
            cause=last.cause if last else "",
            traceback=last.traceback if last else "",
        )

    # Steering --------------------------------------------------------------------------------------------

    def cancel(self) -> State:
        """Have it never begun (again); the state it has now.

        One that runs is told to end and is ``cancelled`` when its processes are gone; till then it is
        ``running``. What is done, dead or cancelled stays so.

        Raises:
            NoSuchJob: it is not in the store (any more).
        """
        self._desk.cancel([self.id])
        return self.state

    def retry(self, **changed: Any) -> bool:
        """Put it back with all its tries, if it is dead or was cancelled; whether it was.

        Args:
            changed: Arguments that are to be others this time: ``job.retry(data="right.npz")``.

        Raises:
            UserError: it is a command line, which has none; or it lacks results of others.
            NoSuchJob: it is not in the store (any more).
        """
        if not changed:
            return bool(self._desk.requeue([self.id]))
        if self.row.task == SCRIPT:
            raise UserError("a command line has no arguments by name: submit it as it should be")
        body = self._desk.arguments(self.id) or b""
        if freight.lacks_results(body):
            raise UserError(f"job {self.id} lacks the results of others: put those back")
        args, kwargs = freight.call(body)
        return self._desk.amend(self.id, freight.packed([args, {**kwargs, **changed}]))

    # Looking ---------------------------------------------------------------------------------------------

    def logs(self, attempt: Optional[int] = None) -> str:
        """What it has printed, attempt after attempt. ``attempt``: only that one, from 1.

        Of one whose file is gone, the end, which the store keeps.
        """
        return self._desk.logs(self.row.id, attempt)

    def follow(self, attempt: Optional[int] = None) -> Iterator[str]:
        """What it prints, while it prints it, until it is over; then all of it was given.

        Args:
            attempt: Only that one, from 1.
        """
        return follow(self._desk, self.row.id, attempt)


def _times(failures: int) -> str:
    return "1 failure" if failures == 1 else f"{failures} failures"
