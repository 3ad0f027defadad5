"""Runs in the supervisor: a run as plain data, for the command line and for ``run.json``."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from penstock.lifecycle import Clock
from penstock.observe import page
from penstock.runtime.policy.roster import Goal, Seat, Stage, Worker
from penstock.runtime.supervisor.account import rows, total
from penstock.runtime.supervisor.sight import Sight
from penstock.runtime.supervisor.supervisor import Supervisor

Document = dict[str, Any]

_GOALS = {Goal.WORK: "running", Goal.DRAIN: "draining", Goal.STOP: "stopping", Goal.KILL: "stopping"}


class View:
    """Looks at a supervisor; changes nothing."""

    def __init__(self, supervisor: Supervisor, *, clock: Clock) -> None:
        self._supervisor = supervisor
        self._clock = clock
        self._sight = Sight(supervisor, now=clock())

    def look(self) -> None:
        """Take a look now and then, so that whoever asks is told of the last seconds."""
        self._sight.look(self._clock())

    def ps(self) -> Document:
        """Stages, their replicas, the ledger, how fast it all goes, and what it waits for."""
        sights = self._sight.read(self._clock())
        stages = self._supervisor.roster.stages.values()
        found = {
            "schema": "penstock.ps/1",
            **self._run(),
            "over": round(sights.span, 3),
            "stages": [self._stage(stage, sights.workers) for stage in stages],
            **self._ledger(),
        }
        found["links"] = [
            {**row, **sights.links[link.id]}
            for row, link in zip(found["links"], self._supervisor.plan.links, strict=True)
        ]
        hosts = self._supervisor.hosts
        found["hosts"] = [] if hosts is None else hosts.view()
        found.update(self._published())
        found["bottleneck"] = sights.bottleneck._asdict() if sights.bottleneck else None
        return found

    def ledger(self) -> Document:
        """What became of every item, per link."""
        return {"schema": "penstock.ledger/1", **self._run(), **self._ledger()}

    def topics(self) -> Document:
        """What was published, and what became of it."""
        return {"schema": "penstock.topics/1", **self._run(), "now": self._clock(), **self._published()}

    def _published(self) -> Document:
        if not self._supervisor.has_topics:
            return {"topics": [], "subscriptions": []}
        return {**self._supervisor.topics.rows()}

    def summary(self, exit_code: int) -> Document:
        """How the run ended, for ``run.json``."""
        roster = self._supervisor.roster
        return {
            "schema": "penstock.run/1",
            **self._run(),
            "exit": exit_code,
            "cut_short": roster.cut_short,
            "failure": roster.failure.cause if roster.failure else "",
            **self._ledger(),
        }

    def _run(self) -> Document:
        supervisor = self._supervisor
        return {
            "run": supervisor.run_dir.name,
            "pipeline": supervisor.plan.pipeline,
            "pid": os.getpid(),
            "state": self._state(),
            "uptime": round(self._clock() - supervisor.born, 3),
            "state_dir": supervisor.state_dir.path,
        }

    def _state(self) -> str:
        roster = self._supervisor.roster
        if roster.ended:
            return "failed" if roster.failure else "ended"
        if roster.goal == Goal.WORK and not all(map(self.is_ready, roster.stages.values())):
            return "starting"
        if roster.goal == Goal.WORK and any(
            stage.drained and not stage.retired for stage in roster.stages.values()
        ):
            return "draining"
        return _GOALS[roster.goal]

    def is_ready(self, stage: Stage) -> bool:
        """Whether it has all its replicas ready, or has had them and is through."""
        roster = self._supervisor.roster
        members = list(roster.members(stage.name))
        waiting = any(seat.due is not None for (name, _), seat in roster.seats.items() if name == stage.name)
        if stage.retired:
            return True
        begun = stage.was_ready or stage.external  # which is as ready as it can be
        return begun and not waiting and all(one.ready_at is not None for one in members)

    def _ledger(self) -> Document:
        counts = self._supervisor.balance()
        plan = self._supervisor.plan
        flow = {"links": rows(plan, counts), "totals": total(plan, counts)._asdict()}
        return {**flow, **self._published()}

    def _stage(self, stage: Stage, seen: dict[int, Document]) -> Document:
        roster = self._supervisor.roster
        members = sorted(roster.members(stage.name), key=lambda one: one.replica)
        waiting = [
            (replica, seat)
            for (name, replica), seat in roster.seats.items()
            if name == stage.name and seat.due is not None
        ]
        return {
            "name": stage.name,
            "kind": self._supervisor.plan.stage(stage.name).kind,
            "steps": [step.name for step in self._supervisor.plan.stage(stage.name).steps],
            "env": self._environment(stage.name),
            "asked": stage.asked,
            **({"service": stage.of, "share": stage.share} if stage.of else {}),
            "paused": stage.paused,
            "ready": sum(one.ready_at is not None and one.told == Goal.WORK for one in members),
            "replicas": [
                *(self._replica(one, seen) for one in members),
                *(self._empty_seat(stage, replica, seat) for replica, seat in waiting),
                *(_open_seat(stage, replica) for replica in self._open(stage)),
            ],
        }

    def _environment(self, stage: str) -> Document | None:
        within = self._supervisor.outfit.environment(stage)
        return {"name": within.name, "key": within.key} if within else None

    def _open(self, stage: Stage) -> list[int]:
        """The seats that wait for scripts."""
        if not stage.external or stage.drained or self._supervisor.roster.ended:
            return []
        taken = {one.replica for one in self._supervisor.roster.members(stage.name)}
        return [replica for replica in range(stage.asked) if replica not in taken]

    def _replica(self, worker: Worker, seen: dict[int, Document]) -> Document:
        member = self._supervisor.crew[worker.number]
        seat = self._supervisor.roster.seats.get(worker.seat, Seat())
        return {
            "worker": worker.label,
            "replica": worker.replica,
            "number": worker.number,
            "host": member.child.host,
            "pid": member.child.pid,
            "python": member.python,
            "state": _state(worker, member.state, paused=self._supervisor.roster.stages[worker.stage].paused),
            "items": member.word(page.ITEMS),
            "failures": member.word(page.FAILURES),
            "restarts": seat.record.total,
            **seen[worker.number],
            "kept": member.word(page.KEPT),
            "pool_bytes": member.word(page.POOL),
            "spilled": member.word(page.SPILLED),
            "refused": member.word(page.REFUSED),
            "progress": [msgspec.structs.asdict(note) for note in member.headway.notes],
        }

    def _empty_seat(self, stage: Stage, replica: int, seat: Seat) -> Document:
        assert seat.due is not None
        return {
            "worker": f"{stage.name}/{replica}",
            "replica": replica,
            "state": "restarting" if seat.record.total else "starting",
            "restarts": seat.record.total,
            "restart_in": round(max(0.0, seat.due - self._clock()), 3),
        }


def _state(worker: Worker, says: str, *, paused: bool) -> str:
    """What we have told it counts before what it says; it may not have heard yet."""
    if worker.killed or worker.error:
        return "dying"
    if worker.finished:
        return "finished"
    if worker.told >= Goal.DRAIN:
        return "draining" if worker.told == Goal.DRAIN else "stopping"
    return "paused" if paused and says == "ready" else says


def _open_seat(stage: Stage, replica: int) -> Document:
    label = f"{stage.name}/{replica}"
    return {"worker": label, "replica": replica, "state": "waits for attach", "restarts": 0}
