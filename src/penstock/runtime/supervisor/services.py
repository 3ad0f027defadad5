"""Runs in the supervisor: what callers are told of services. Calls themselves never come by here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.observe import page
from penstock.observe.events import (
    Event,
    VersionDeployed,
    VersionRetired,
    VersionShared,
    WorkerDied,
    WorkerEnded,
    WorkerReady,
)
from penstock.pipeline.plan import SERVICE
from penstock.runtime import control
from penstock.runtime.calls.directory import Gone
from penstock.runtime.policy.deployment import services, shares, takes, versions
from penstock.runtime.policy.roster import Worker

if TYPE_CHECKING:
    from penstock.runtime.supervisor.crew import Member
    from penstock.runtime.supervisor.supervisor import Supervisor

REMEMBERED = 256
"""Causes of deaths that are told: callers that are slow to read still learn of what a call was lost."""

CHANGES = (WorkerReady, WorkerDied, WorkerEnded)
"""After these there is another listing."""

Document = dict[str, Any]


class Services:
    """Those of one run."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.listeners: list[Callable[[], object]] = []
        """Are called whenever ``listing`` answers something new."""
        self._told: Document = {}
        self._gone: dict[int, Gone] = {}
        """Of deaths in services, by number."""
        self._names = {stage.name for stage in supervisor.plan.stages if stage.kind == SERVICE}
        supervisor.listeners.append(self._on_event)

    def _look(self) -> None:
        """Something may have changed. (That a replica is to drain, it tells its callers itself.)"""
        now = self.listing("")
        if now != self._told:
            self._told = now
            for listener in tuple(self.listeners):
                listener()

    def listing(self, host: str) -> Document:
        """Services with their replicas, as callers on that host find them, and why those died that are no
        more; and the run's key, where it may have other hosts."""
        hosts = self._supervisor.hosts
        return {
            "schema": "penstock.calls/1",
            "services": {
                name: self._service(name, host) for name in services(self._supervisor.roster.stages)
            },
            "gone": {str(number): list(gone) for number, gone in self._gone.items()},
            "curve": hosts and hosts.lodging.curve,
        }

    def hung_up(self, caller: int) -> None:
        """That caller has ended. Within a host the kernel has said so."""
        if self._supervisor.hosts is not None:
            for member in self._supervisor.crew.values():
                if member.stage in self._names:
                    member.line.send(control.Gone(caller, "", ""))

    def _service(self, name: str, host: str) -> Document:
        supervisor, roster = self._supervisor, self._supervisor.roster
        mine = [stage.name for stage in roster.stages.values() if stage.of == name]
        return {
            "max_failures": supervisor.plan.stage(versions(roster.stages, name)[0].name).max_failures,
            "shares": shares(roster, name),
            "seats": [
                self._seat(one, supervisor.crew[one.number], host)
                for stage in mine
                for one in roster.members(stage)
                if one.ready_at and one.number in supervisor.crew
            ],
        }

    def _seat(self, worker: Worker, member: Member, host: str) -> list[Any]:
        stage = self._supervisor.plan.stage(worker.stage)
        endpoint = self._supervisor.endpoint(
            lambda run_dir: f"unix://{control.paths(run_dir, worker.number)[0]}",
            member.tcp,
            home=member.child.host,
            host=host,
        )
        window = stage.window or 2 * max(1, stage.batch)
        return [worker.number, worker.label, worker.stage, endpoint, takes(worker), window]

    def _is_ours(self, event: Event) -> bool:
        if isinstance(event, (VersionDeployed, VersionShared, VersionRetired)):
            return True
        return isinstance(event, CHANGES) and event.stage in self._names

    def _on_event(self, event: Event) -> None:
        if isinstance(event, VersionDeployed):
            self._names.add(event.stage)
        if isinstance(event, WorkerDied) and event.stage in self._names:
            member = self._supervisor.crew.get(event.number)
            blame = (member.word(page.SENDER), member.word(page.BATCH)) if member is not None else (0, 0)
            self._gone[event.number] = Gone(event.cause, *blame)
            if len(self._gone) > REMEMBERED:
                del self._gone[next(iter(self._gone))]
        if self._is_ours(event):
            self._look()
