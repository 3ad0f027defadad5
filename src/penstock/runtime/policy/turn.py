"""One step of ``policy`` in the making: a roster that can be changed until the step is done. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from penstock.observe import events
from penstock.runtime.policy import action
from penstock.runtime.policy.action import Action
from penstock.runtime.policy.roster import Failure, Goal, Renewal, Roster, Seat, Worker


class Turn:
    """The parts of a roster in mutable form, the time, and the actions wanted so far."""

    def __init__(self, roster: Roster, now: float) -> None:
        self.now = now
        self.actions: list[Action] = []
        self.stages = dict(roster.stages)
        self.seats = dict(roster.seats)
        self.workers = dict(roster.workers)
        self.hosts = dict(roster.hosts)
        self.pairs = set(roster.pairs)
        self.renewals = roster.renewals
        self.vigil = roster.vigil
        self.links = roster.links
        self.grace = roster.grace
        self.next_number = roster.next_number
        self.goal = roster.goal
        self.begun = roster.begun
        self.cut_short = roster.cut_short
        self.failure = roster.failure
        self.ended = roster.ended

    def roster(self) -> Roster:
        """The state as it stands now."""
        return Roster(
            stages=dict(self.stages),
            links=self.links,
            grace=self.grace,
            seats=dict(self.seats),
            workers=dict(self.workers),
            hosts=dict(self.hosts),
            pairs=frozenset(self.pairs),
            renewals=self.renewals,
            vigil=self.vigil,
            next_number=self.next_number,
            goal=self.goal,
            begun=self.begun,
            cut_short=self.cut_short,
            failure=self.failure,
            ended=self.ended,
        )

    def do(self, wanted: Action) -> None:
        """Have this done, after all that was wanted before."""
        self.actions.append(wanted)

    def report(self, event: events.Event) -> None:
        """Let the listeners know."""
        self.do(action.Report(event))

    def members(self, stage: str) -> list[Worker]:
        """The living workers of a stage."""
        return [worker for worker in self.workers.values() if worker.stage == stage]

    def sitting(self, seat: tuple[str, int]) -> list[Worker]:
        """The living workers of a seat: one, or while it is renewed two."""
        return [worker for worker in self.workers.values() if worker.seat == seat]

    def renewing(self, worker: Worker) -> bool:
        """Whether it was told to drain only to make room for its successor."""
        return any(each.old == worker.number and each.begun and each.drain_first for each in self.renewals)

    def abandon(self, renewals: Iterable[Renewal], why: str) -> None:
        """These workers are not renewed after all."""
        left = set(renewals)
        self.renewals = tuple(each for each in self.renewals if each not in left)
        for each in sorted(left):
            self.report(
                events.RenewalAbandoned(stage=each.stage, replica=each.replica, number=each.old, cause=why)
            )

    def over(self, stage: str) -> bool:
        """Whether no worker of the stage lives and none is to come."""
        awaited = any(
            seat.due is not None or seat.guest is not None
            for (name, _), seat in self.seats.items()
            if name == stage
        )
        if awaited or self.members(stage):
            return False
        return not self.stages[stage].external or self.closed(stage)

    def closed(self, stage: str) -> bool:
        """Whether nobody is to begin work in it any more."""
        known = self.stages[stage]
        return known.drained or self.goal >= (Goal.DRAIN if known.is_source or known.is_group else Goal.STOP)

    def change(self, worker: Worker, **fields: Any) -> Worker:
        """``worker`` with other fields, also in the roster."""
        self.workers[worker.number] = changed = worker._replace(**fields)
        return changed

    def change_stage(self, name: str, **fields: Any) -> None:
        """The stage with other fields."""
        self.stages[name] = self.stages[name]._replace(**fields)

    def pause(self, name: str, *, paused: bool) -> None:
        """Have a stage begin nothing more, or go on, unless it is so."""
        if self.stages[name].paused == paused:
            return
        self.change_stage(name, paused=paused)
        for worker in self.members(name):
            self.do(action.Pause(worker.number, paused))
        self.report(events.StagePaused(stage=name) if paused else events.StageResumed(stage=name))

    def tell(self, worker: Worker, goal: Goal) -> None:
        """Tell it how far to end, unless it knows."""
        if worker.told >= goal:
            return
        worker = self.change(worker, told=goal)
        if goal == Goal.KILL:
            self.kill(worker)
            return
        if goal == Goal.STOP and not worker.killed:
            self.change(worker, deadline=self.now + self.grace, look=None)
        self.do(action.Tell(worker.number, goal))

    def kill(self, worker: Worker, why: str = "") -> None:
        """Kill it, once. ``why`` becomes the cause of its death; empty where its end was wanted anyway."""
        if not worker.killed:
            self.change(worker, killed=True, condemned=why, deadline=None, look=None)
            self.do(action.Kill(worker.number))

    def cancel(self, stage: str) -> list[Seat]:
        """Start nobody else in this stage; the seats that were waiting."""
        waiting = {key: seat for key, seat in self.seats.items() if key[0] == stage and seat.due is not None}
        for key in waiting:
            del self.seats[key]
        return list(waiting.values())

    def aim(self, goal: Goal, event: events.Event) -> None:
        """Set the run's goal, if that is further than it was."""
        if goal > self.goal and not self.ended:
            self.goal = goal
            self.report(event)

    def blame(self, failure: Failure) -> None:
        """The run has failed; the first failure is the one that is told."""
        if self.failure is None:
            self.failure = failure
            self.report(events.RunFailed(cause=failure.cause, traceback=failure.traceback))

    def give_up(self, failure: Failure) -> None:
        """The run has failed and cannot go on: stop it."""
        self.blame(failure)
        self.goal = max(self.goal, Goal.STOP)
