"""The desk: where one process hands in jobs that others run, asks after them and steers them.

There is one way to do so and there are several desks: that of a store on this machine (``local``), and that
of a broker (``penstock.rabbitmq.client``), behind which the store may be on another. So what passes over it
is plain: ids, records, bytes; never a connection or a transaction. Each method is one act: done as a whole,
or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ContextManager, Dict, List, NamedTuple, Optional, Protocol, Sequence

from penstock.tasks.filter import ANY, Filter
from penstock.tasks.job import Attempt, JobRow, NewJob, State
from penstock.tasks.schedule import Schedule

if TYPE_CHECKING:
    from penstock.tasks.task import Task


class JobState(NamedTuple):
    """How one of many jobs stands."""

    id: str
    state: State
    progress: Optional[float]


class Queue(NamedTuple):
    """What waits for one group."""

    group: str
    paused: str
    """Why nothing of it is begun; empty: it is not paused."""
    counts: Dict[str, int]
    """How many jobs there are of each state that there are any of."""
    oldest: Optional[int]
    """Since when that has been ready which has been so the longest (ms since 1970)."""
    gpus: Optional[int] = None
    """The most that a worker of it has had; ``None``: none was ever there."""


class Timing(NamedTuple):
    """A task that is called by itself."""

    group: str
    task: str
    schedule: Schedule
    paused: str
    """As of a ``Queue``."""
    tick: Optional[int]
    """The one that has a job now (ms since 1970)."""
    job: Optional[JobRow]
    """It, where it waits or runs."""
    last: Optional[JobRow]
    """The one that has ended last."""


class Figures(NamedTuple):
    """Of the jobs of one task that are in one state."""

    group: str
    task: str
    state: str
    jobs: int
    mean: Optional[float]
    """Seconds that their last attempts took, where these are over."""


class Piece(NamedTuple):
    """What an attempt has printed, from one place on."""

    text: bytes
    end: int
    """So many bytes of it have been printed up to here."""
    more: bool
    """The attempt goes on."""


class Watch(Protocol):
    """Hears that something has become of jobs. Made first; look then, wait last."""

    def wait(self, timeout: Optional[float] = None) -> None:
        """Until it is time to look again: something has changed, or for ``timeout`` seconds nothing has, or
        for so long that word of it may have been lost."""
        ...

    async def heard(self) -> None:
        """``wait``, for who has an event loop."""
        ...


class Desk(Protocol):
    """Of one store. Any thread may call it.

    Any method may raise ``EnvironmentFault``: the store cannot be opened or written, nobody answers. Then
    nothing has changed, unless it says otherwise.
    """

    @property
    def place(self) -> str:
        """Where the jobs are kept, in words for people."""
        ...

    @property
    def is_there(self) -> bool:
        """Whether there is a store yet; ``False``: who looks finds nothing, who submits makes one."""
        ...

    def now(self) -> int:
        """Milliseconds since 1970."""
        ...

    def close(self) -> None:
        """Let go; who asks again opens it again."""
        ...

    # Handing in ------------------------------------------------------------------------------------------

    def declare(self, task: Task[Any, Any]) -> None:
        """There is such a task: jobs may be submitted to its group."""
        ...

    def submit(self, jobs: Sequence[NewJob]) -> List[str]:
        """Have them on disk: their ids, or those of live ones with the same unique key.

        Raises:
            OSError: the disk is full.
        """
        ...

    # Asking ----------------------------------------------------------------------------------------------

    def find(self, text: str) -> List[str]:
        """The ids of the jobs that people mean by a number, an id, or the beginning of one; of many, a
        few."""
        ...

    def job(self, id: str) -> Optional[JobRow]:
        """That one, by its id or its number."""
        ...

    def jobs(self, where: Filter = ANY, *, limit: int = -1) -> List[JobRow]:
        """Those that match, newest first; ``limit`` at most, -1: all."""
        ...

    def states(self, ids: Sequence[str]) -> List[JobState]:
        """How these stand, in any order; what is not there is left out."""
        ...

    def results(self, ids: Sequence[str]) -> List[Optional[bytes]]:
        """What each of them gave; ``None``: it is not done, or not there.

        Raises:
            OSError: the file of a large one is gone.
        """
        ...

    def arguments(self, id: str) -> Optional[bytes]:
        """What it was submitted with; ``None``: it is not there.

        Raises:
            OSError: the file of large ones is gone.
        """
        ...

    def attempts(self, id: str) -> List[Attempt]:
        """Its attempts that have ended, oldest first."""
        ...

    def logs(self, id: str, attempt: Optional[int] = None) -> str:
        """What it has printed, attempt after attempt; ``attempt``: only that one, from 1. Where the whole of
        it is not to be had, its end."""
        ...

    def piece(self, id: str, attempt: int, begin: int) -> Optional[Piece]:
        """What that attempt has printed from byte ``begin`` on, some of it; of one that goes on and has
        printed no more it may take a moment. ``None``: nobody is there who has the whole of it."""
        ...

    def queues(self) -> List[Queue]:
        """What waits for each group there is."""
        ...

    def figures(self) -> List[Figures]:
        """By group, task and state."""
        ...

    def timings(self) -> List[Timing]:
        """The tasks that are called by themselves."""
        ...

    def watch(self) -> ContextManager[Watch]:
        """To wait with until something has changed."""
        ...

    # Steering --------------------------------------------------------------------------------------------

    def cancel(self, ids: Sequence[str], why: str = "") -> List[str]:
        """Have them never begun (again); the ids of those that are cancelled now, or will be when their
        processes are gone. ``why``: what is said of it; empty: nothing."""
        ...

    def requeue(self, ids: Sequence[str]) -> List[str]:
        """Put dead and cancelled ones back, with no failures; the ids of those that were."""
        ...

    def amend(self, id: str, args: bytes) -> bool:
        """Put a dead or cancelled one back with other arguments (``freight.packed``); whether it was."""
        ...

    def remove(self, ids: Sequence[str]) -> List[str]:
        """Remove these, dead ones too, unless they wait or run; the ids of those that were."""
        ...

    def pause(self, groups: Sequence[str], why: str = "") -> None:
        """Have nothing more of them begun. ``why``: in words for people; empty: somebody asked for it."""
        ...

    def resume(self, groups: Sequence[str]) -> None:
        """Let them go on."""
        ...
