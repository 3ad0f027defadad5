"""``group``: calls of several tasks that are submitted, waited for and cancelled as one."""

from __future__ import annotations

from typing import Generic, Iterable, List, TypeVar

from penstock.errors import UserError
from penstock.tasks.jobs import Jobs
from penstock.tasks.task import Call

R = TypeVar("R")


class Bundle(Generic[R]):
    """Calls that are not handed over yet."""

    def __init__(self, calls: Iterable[Call[R]]) -> None:
        self.calls: List[Call[R]] = list(calls)

    def submit(self) -> Jobs[R]:
        """Hand all of them over at once: all are on disk when this returns, or none is.

        Raises:
            UserError: there is none, or they are of apps with several stores.
            UnsupportedType, WiringError, EnvironmentFault, OSError: as ``submit`` of a task.
        """
        desks = {id(desk): desk for desk in (call.task.desk() for call in self.calls)}
        if len(desks) != 1:
            raise UserError("a group needs calls" if not desks else "a group has calls of one app's tasks")
        (desk,) = desks.values()
        now = desk.now()
        ids = desk.submit([call.task.job(call.arguments, now) for call in self.calls])
        return Jobs([call.task.handle(id, desk) for call, id in zip(self.calls, ids)], desk)


def group(calls: Iterable[Call[R]]) -> Bundle[R]:
    """Calls of one or several tasks as one: ``group([train.call("vgg"), score.call()]).submit().results()``.

    (The workers' ``group=`` of a task is something else: it says who runs its jobs.)
    """
    return Bundle(calls)
