"""Runs in the supervisor: versions of services, side by side, and what is asked about them.

What a version has done is counted on the status pages of its workers: from when the second one was deployed,
so that both have had the same time, and with those that have ended meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from penstock.errors import UserError
from penstock.observe import durations, page
from penstock.pipeline.plan import SERVICE, StagePlan
from penstock.runtime.policy import deployment, stimulus
from penstock.runtime.policy.placement import FIRST_LABEL
from penstock.runtime.policy.roster import Stage, stage_of

if TYPE_CHECKING:
    from penstock.runtime.supervisor.crew import Member
    from penstock.runtime.supervisor.supervisor import Supervisor

Document = dict[str, Any]


class Tally(NamedTuple):
    """What was done."""

    calls: int = 0
    """Those that were answered, also by an error."""
    failed: int = 0
    """Those that raised."""
    took: Sequence[int] = (0,) * durations.BUCKETS

    def plus(self, other: Tally, sign: int = 1) -> Tally:
        """Both together; or, with ``sign`` -1, what is more than in ``other``."""
        took = [mine + sign * its for mine, its in zip(self.took, other.took, strict=True)]
        return Tally(self.calls + sign * other.calls, self.failed + sign * other.failed, took)


class Versions:
    """Of one run in which a second version of a service was deployed."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Begin to count."""
        self._supervisor = supervisor
        self._before: dict[int, Tally] = {}
        """What living workers had done when it began, by number."""
        self._gone: dict[str, Tally] = {}
        """What those had done that have ended, by version."""

    def begin(self, service: str) -> None:
        """Count anew for all versions of ``service``."""
        stages = self._supervisor.roster.stages
        for version in [stage.name for stage in stages.values() if stage.of == service]:
            self._gone.pop(version, None)
            for member in self._members(version):
                self._before[member.number] = _tally(member)

    def keep(self, member: Member) -> None:
        """It has ended: these were its last numbers."""
        gone = self._gone.get(member.stage, Tally())
        self._gone[member.stage] = gone.plus(self._since(member))
        self._before.pop(member.number, None)

    def tally(self, version: str) -> Tally:
        """What its workers have done, those that live and those that have ended."""
        found = self._gone.get(version, Tally())
        for member in self._members(version):
            found = found.plus(self._since(member))
        return found

    def _since(self, member: Member) -> Tally:
        before = self._before.get(member.number)
        return _tally(member) if before is None else _tally(member).plus(before, -1)

    def _members(self, version: str) -> list[Member]:
        return [each for each in self._supervisor.crew.values() if each.stage == version]


def _tally(member: Member) -> Tally:
    failed = member.word(page.FAILURES)
    return Tally(member.word(page.ITEMS) + failed, failed, member.durations())


# What is asked ------------------------------------------------------------------------------------------


def rows(supervisor: Supervisor) -> Document:
    """All services, each with its versions side by side."""
    stages = supervisor.roster.stages
    counted = supervisor.versions or Versions(supervisor)
    return {
        "schema": "penstock.versions/1",
        "pipeline": supervisor.plan.pipeline,
        "services": [
            {
                "service": service,
                "versions": [
                    _row(supervisor, stage, counted.tally(stage.name))
                    for stage in stages.values()
                    if stage.of == service
                ],
            }
            for service in deployment.services(stages)
        ],
    }


def _row(supervisor: Supervisor, stage: Stage, tally: Tally) -> Document:
    members = list(supervisor.roster.members(stage.name))
    return {
        "version": stage.name,
        "code": str(supervisor.plan.stage(stage.name).code),
        "state": "ends" if stage.retired else "answers",
        "share": stage.share,
        "ready": sum(map(deployment.takes, members)),
        "asked": stage.asked,
        "calls": tally.calls,
        "failed": tally.failed,
        "p50": durations.quantile(tally.took, 0.5),
        "p99": durations.quantile(tally.took, 0.99),
    }


async def deploy(supervisor: Supervisor, service: str, stage: Document, share: float) -> Document:
    """Put another version of ``service`` on trial. ``stage``: its plan.

    Raises:
        UserError: not now, or not so.
        PenstockError: its environment, interpreter or a secret is not to be had.
    """
    try:
        planned = msgspec.convert(stage, StagePlan)
    except msgspec.ValidationError as error:
        raise UserError(f"that is no plan of a service: {error}") from None
    if planned.kind != SERVICE:
        raise UserError(f"{planned.code} is no service; put `@service` above it")
    if planned.hosts not in {None, FIRST_LABEL}:
        raise UserError(
            f"{planned.name} says hosts={planned.hosts!r}, and other hosts have the code of when they joined:"
            " it can only be deployed on the first one, or with the next run"
        )
    _refuse(deployment.refusal(supervisor.roster, service, planned.name, share))
    if planned.env is not None and planned.env not in supervisor.environments:
        alone = msgspec.structs.replace(supervisor.plan, stages=[planned], links=[], routes=[])
        supervisor.environments.update(await asyncio.to_thread(supervisor.provide, alone))
        _refuse(deployment.refusal(supervisor.roster, service, planned.name, share))  # that took a while
    supervisor.extend(planned)
    if supervisor.versions is None:
        supervisor.versions = Versions(supervisor)
    seats = stage_of(supervisor.plan, planned)._replace(of=service, stays=True)
    supervisor.tell(stimulus.Deploy(seats, share))
    supervisor.versions.begin(service)
    return rows(supervisor)


def change(supervisor: Supervisor, service: str, share: float | None, *, everything: bool | None) -> Document:
    """Give the version on trial another share; or all calls, or none, which ends the trial.

    Raises:
        UserError: there is no such trial, or it cannot go on so.
    """
    wrong = deployment.refusal_to_change(
        supervisor.roster, service, share=share or 0.0, everything=bool(everything)
    )
    _refuse(wrong)
    if everything is not None:
        supervisor.tell(stimulus.Settle(service, everything))
    elif share is not None:
        supervisor.tell(stimulus.Share(service, share))
    return rows(supervisor)


def _refuse(why: str) -> None:
    if why:
        raise UserError(why)
