"""Runs in the supervisor: a worker's way into the crew: a process, here or elsewhere, and its assignment."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.observe import events
from penstock.runtime.policy import action, stimulus
from penstock.runtime.supervisor import process
from penstock.runtime.supervisor.crew import Member, log_size
from penstock.runtime.supervisor.visit import Visit

if TYPE_CHECKING:
    from penstock.runtime.control import Assignment
    from penstock.runtime.hosts.remote import Remote
    from penstock.runtime.supervisor.supervisor import Supervisor


class Recruiter:
    """Of one run."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Nothing happens before somebody is wanted."""
        self._supervisor = supervisor

    def spawn(self, wanted: action.Spawn) -> None:
        """Start a process for a seat; one that cannot be made has died."""
        supervisor = self._supervisor
        log = supervisor.state_dir.log_path(wanted.stage, wanted.replica)
        log_start = log_size(log)
        try:
            child = self._start_there(wanted, log) if wanted.host else self._start(wanted)
        except OSError as error:
            death = process.stillbirth(supervisor.outfit.interpreter(wanted.stage), error)
            supervisor.tell(stimulus.Died(wanted.number, death))
            return
        self.enlist(wanted, child, log_start)

    def enlist(
        self,
        wanted: action.Spawn | action.Admit,
        child: process.Child | Visit | Remote,
        log_start: int,
        **other: Any,
    ) -> None:
        """Take charge of a process, and give it its assignment (with what is ``other`` in it than usual)."""
        supervisor = self._supervisor
        assignment = self._assignment(wanted, child.host)
        line = child.make_line(
            asyncio.get_running_loop(),
            on_message=partial(supervisor.heard, wanted.number),
            on_nonsense=partial(supervisor.misheard, wanted.number),
            words=supervisor.words,
        )
        links = sum(len(outlet.links) for outlet in assignment.outlets) + len(assignment.inlinks)
        supervisor.crew[wanted.number] = Member(
            number=wanted.number,
            stage=wanted.stage,
            replica=wanted.replica,
            links=links,
            child=child,
            line=line,
            log=supervisor.state_dir.log_path(wanted.stage, wanted.replica),
            log_start=log_start,
            foreign=supervisor.outfit.foreign(wanted.stage),
            env=supervisor.outfit.env(wanted.stage),
        )
        line.send(msgspec.structs.replace(assignment, **other))
        if isinstance(child, (process.Child, Visit)):
            self._report_start(wanted, child)
        else:
            child.on_start = partial(self._report_start, wanted, child)

    def _assignment(self, wanted: action.Spawn | action.Admit, host: str) -> Assignment:
        supervisor, hosts = self._supervisor, self._supervisor.hosts
        record = supervisor.recordings.wish(wanted.number, wanted.stage)
        assignment = supervisor.outfit.assign(wanted, supervisor.roster, record=record)
        if hosts is None:
            return assignment
        return hosts.lodging.assigned(assignment, host, senders=supervisor.outfit.senders(supervisor.roster))

    def _report_start(
        self, wanted: action.Spawn | action.Admit, child: process.Child | Visit | Remote
    ) -> None:
        visits = isinstance(child, Visit)
        kind = events.GuestAttached if visits else partial(events.WorkerStarted, host=child.host)
        self._supervisor.report(
            kind(stage=wanted.stage, replica=wanted.replica, number=wanted.number, pid=child.pid)
        )

    def _start_there(self, wanted: action.Spawn, log: str) -> Remote:
        supervisor = self._supervisor
        assert supervisor.hosts is not None, "a host has joined by it"
        secrets, on_exit = supervisor.outfit.secrets(wanted.stage), partial(supervisor.exited, wanted.number)
        return supervisor.hosts.spawn(wanted, secrets, on_exit=on_exit, log=log)

    def _start(self, wanted: action.Spawn) -> process.Child:
        supervisor = self._supervisor
        log = supervisor.state_dir.open_log(wanted.stage, wanted.replica)
        try:
            command, env = supervisor.outfit.surroundings(wanted.stage, wanted.replica)
            on_exit = partial(supervisor.exited, wanted.number)
            return process.Child(command, env=env, log=log, on_exit=on_exit, loop=asyncio.get_running_loop())
        finally:
            os.close(log)
