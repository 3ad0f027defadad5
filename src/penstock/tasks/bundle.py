"""``group``: calls of several tasks that are submitted, waited for and cancelled as one."""

from __future__ import annotations

from typing import Any, Generic, Iterable, List, Sequence, TypeVar

from penstock.errors import UserError
from penstock.tasks.call import Call, Part
from penstock.tasks.desk import Desk
from penstock.tasks.jobs import Jobs

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
        desk = the_desk(self.calls, "group")
        for each in self.calls:
            if isinstance(each, Part):
                raise UserError(
                    f"{each.place}: {each.task.name} lacks its first argument: say it with call()"
                )
        now = desk.now()
        ids = desk.submit([call.task.job(call.arguments, now) for call in self.calls])
        return Jobs([call.task.handle(id, desk) for call, id in zip(self.calls, ids)], desk)


def the_desk(calls: Sequence[Call[Any]], what: str) -> Desk:
    """That of all of them.

    Raises:
        UserError: there is none, or several.
    """
    desks = {id(desk): desk for desk in (call.task.desk() for call in calls)}
    if len(desks) != 1:
        raise UserError(f"a {what} has calls of one app's tasks" if desks else f"a {what} needs calls")
    return next(iter(desks.values()))


def group(calls: Iterable[Call[R]]) -> Bundle[R]:
    """Calls of one or several tasks as one: ``group([train.call("vgg"), score.call()]).submit().results()``.

    (The workers' ``group=`` of a task is something else: it says who runs its jobs.)
    """
    return Bundle(calls)
