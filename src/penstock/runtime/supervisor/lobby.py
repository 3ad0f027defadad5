"""Runs in the supervisor: guests who have asked for a seat and have none yet."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from penstock.errors import UserError
from penstock.runtime.policy import action, stimulus
from penstock.runtime.supervisor.crew import log_size
from penstock.runtime.supervisor.visit import DEBUGGER, Visit

if TYPE_CHECKING:
    from penstock.runtime.supervisor.supervisor import Supervisor


class Lobby:
    """Each has the number of his request, by which ``policy`` knows him."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._visits: dict[int, Visit] = {}
        self._requests = count(1)

    def attach(self, visit: Visit, stage: str, replica: int | None) -> int:
        """Give him that seat as soon as it is free; the number of his request."""
        guest = next(self._requests)
        self._visits[guest] = visit
        self._supervisor.tell(stimulus.Attach(stage, replica, guest))
        return guest

    def withdraw(self, guest: int) -> None:
        """He has hung up."""
        self._visits.pop(guest).close()
        self._supervisor.tell(stimulus.Withdrawn(guest))

    def answer(self, wanted: action.Admit | action.Refuse) -> None:
        """What policy says: he has a seat, or will have none."""
        visit = self._visits.pop(wanted.guest)
        if isinstance(wanted, action.Refuse):
            visit.seated.set_exception(UserError(wanted.cause))
            return
        supervisor = self._supervisor
        other = {}
        if not supervisor.plan.stage(wanted.stage).external:
            visit.parting = DEBUGGER
            # Whoever looks at one item with a debugger shall not keep others waiting.
            batch = supervisor.plan.stage(wanted.stage).batch
            other = {"window": max(1, batch), "timeout": None, "threads": 0, "concurrency": 0}
        log_start = log_size(supervisor.state_dir.log_path(wanted.stage, wanted.replica))
        supervisor.recruiter.enlist(wanted, visit, log_start, **other)
        visit.sit(lambda code: supervisor.exited(wanted.number, code))

    def close(self) -> None:
        """The run is over."""
        for visit in self._visits.values():
            visit.seated.cancel()
            visit.close()
        self._visits.clear()
