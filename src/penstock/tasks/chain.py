"""``chain``: tasks one after the other, each called with the result of the one before."""

from __future__ import annotations

from typing import Any, Generic, List, Sequence, TypeVar, Union, overload

import msgspec

from penstock.errors import UserError
from penstock.pipeline.place import Place, caller
from penstock.tasks import freight
from penstock.tasks.bundle import Bundle, the_desk
from penstock.tasks.call import Call, Part, part
from penstock.tasks.desk import Desk
from penstock.tasks.handle import Job, Progress
from penstock.tasks.job import JobRow, NewJob, State
from penstock.tasks.jobs import Jobs
from penstock.tasks.task import Task

R = TypeVar("R")
Link = Union[Task[..., Any], Call[Any], Bundle[Any]]


class Chain(Generic[R]):
    """Calls that wait for each other, not handed over yet."""

    def __init__(self, links: Sequence[Link], place: Place) -> None:
        """Check that they fit.

        Raises:
            UserError: they do not.
        """
        if len(links) < 2:
            raise UserError(f"{place}: a chain has two links at least")
        if isinstance(links[-1], Bundle):
            raise UserError(
                f"{place}: a chain ends with one task; put one behind the group that takes its list"
            )
        self._place = place
        self._links = links
        self._rest = [_parts(link, place) for link in links[1:]]

    def submit(self, *args: Any, **kwargs: Any) -> Chained[R]:
        """Hand all of them over: they are on disk when this returns, or none is.

        Args:
            args: Those of the first link, if that is a bare task.
            kwargs: As ``args``.

        Raises:
            UserError: the first function does not take these arguments; these are tasks of several apps.
            UnsupportedType, WiringError, EnvironmentFault, OSError: as ``submit`` of a task.
        """
        stages = [self._opening(args, kwargs), *self._rest]
        desk = the_desk([call for stage in stages for call in stage], "chain")
        now = desk.now()
        made: List[List[NewJob]] = [[]]
        for at, stage in enumerate(stages):
            gathered = at > 0 and isinstance(self._links[at - 1], Bundle)
            made.append([_job(call, made[-1], now, gathered=gathered) for call in stage])
        ids = desk.submit([job for stage in made for job in stage])
        calls = [call for stage in stages for call in stage]
        jobs = [call.task.handle(id, desk) for call, id in zip(calls, ids)]
        return Chained(jobs[-1], Jobs(jobs, desk), desk)

    def _opening(self, args: Any, kwargs: Any) -> List[Call[Any]]:
        first = self._links[0]
        if isinstance(first, Task):
            return [Call(first, first.bound(args, kwargs, self._place), self._place)]
        if args or kwargs:
            raise UserError(f"{self._place}: the first link of this chain has its arguments already")
        calls = first.calls if isinstance(first, Bundle) else [first]
        for each in calls:
            if isinstance(each, Part):
                raise UserError(f"{each.place}: {each.task.name} is the first link, so it lacks an argument")
        return calls


class Chained(Job[R]):
    """What ``chain(...).submit()`` gives: the job at the end, which stands for all of them.

    Attributes:
        jobs: All, in their order.
    """

    def __init__(self, last: Job[R], jobs: Jobs[Any], desk: Desk) -> None:
        super().__init__(last.id, desk, last.result_type)
        self.jobs = jobs

    @property
    def progress(self) -> Progress:
        """How far all of them are together; see ``Jobs``."""
        return self.jobs.progress

    def cancel(self) -> State:
        """Have none of them begun (again); the state of the last."""
        self.jobs.cancel()
        return self.state

    def retry(self, **changed: Any) -> bool:
        """Put back what is dead or was cancelled; what is done is not done again. Other arguments are for
        those that are dead: see ``Job.retry``."""
        if changed:
            return all(job.retry(**changed) for job in self.jobs if job.state == "dead")
        return bool(self._desk.requeue([job.id for job in self.jobs]))

    def _outcome(self, row: JobRow) -> R:
        """Of those it needed, one that is dead says more than that this one was cancelled."""
        if row.state == "cancelled":
            for job in self.jobs:
                if job.state == "dead":
                    job.result()
        return super()._outcome(row)


@overload
def chain(first: Link, last: Union[Task[..., R], Call[R]], /) -> Chain[R]: ...
@overload
def chain(first: Link, second: Link, last: Union[Task[..., R], Call[R]], /) -> Chain[R]: ...
@overload
def chain(*links: Link) -> Chain[Any]: ...
def chain(*links: Link) -> Chain[Any]:
    """Tasks one after the other: ``chain(load.call("x.npz"), clean, train.partial(epochs=3)).submit()``.

    The result of each is the first argument of the next; ``partial`` gives the others. A ``group`` in a chain
    is called with the same result, each of its calls, and what comes behind it gets the list of theirs.

    All are on disk when ``submit`` returns. One that is dead keeps those behind it from being run.

    Raises:
        UserError: the links do not fit.
    """
    return Chain(links, caller())


def _parts(link: Link, place: Place) -> List[Call[Any]]:
    """The calls of a link that is not the first."""
    calls: Sequence[Any] = link.calls if isinstance(link, Bundle) else [link]
    return [_part(each, place) for each in calls]


def _part(link: Union[Task[..., Any], Call[Any]], place: Place) -> Part[Any]:
    found = part(link, (), {}, place) if isinstance(link, Task) else link
    if not isinstance(found, Part):
        name = found.task.name
        raise UserError(
            f"{found.place}: {name}.call() has all its arguments, and in a chain the first is the result"
            f" before: say {name}.partial() with the others"
        )
    if found.task.chosen.unique is not False:
        raise UserError(
            f"{found.place}: unique= of {found.task.name} needs its first argument, which is not known yet;"
            f" say {found.task.name}.options(unique=False)"
        )
    return found


def _job(call: Call[Any], before: Sequence[NewJob], now: int, *, gathered: bool) -> NewJob:
    job = call.task.job(call.arguments, now)
    if not isinstance(call, Part):
        return job
    args, kwargs = call.arguments
    place = freight.Place(call.first, gathered)
    return msgspec.structs.replace(
        job, args=freight.packed([args, kwargs, list(place)]), needs=[each.id for each in before]
    )
