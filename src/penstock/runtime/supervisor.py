"""Runs in the supervisor: one per run. It does what ``policy`` decides, and tells it what has happened.

It runs no user code and no item passes through it. It sleeps until the kernel has news: the end of a
process, words from a worker or from the command line, a signal, or a time that ``policy`` named.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.lifecycle import Clock, monotonic
from penstock.observe import events
from penstock.pipeline.plan import Plan
from penstock.runtime import action, control, jobwire, process, queuewire, stimulus, sweep
from penstock.runtime.account import Account, LinkCount, Totals, items_for, total
from penstock.runtime.action import Action
from penstock.runtime.crew import Member, log_size
from penstock.runtime.line import Line
from penstock.runtime.lobby import Lobby
from penstock.runtime.oom import OomWatch
from penstock.runtime.outfit import Outfit
from penstock.runtime.policy import step
from penstock.runtime.recordings import Recordings
from penstock.runtime.roster import Goal, Roster, enrol
from penstock.runtime.rundir import RunDir
from penstock.runtime.shm import Budget
from penstock.runtime.statedir import StateDir
from penstock.runtime.stimulus import Stimulus
from penstock.runtime.taps import Taps
from penstock.runtime.visit import Visit

if TYPE_CHECKING:
    from penstock.runtime.jobs import Jobs

Listener = Callable[[events.Event], None]


class Supervisor:
    """A run: its roster, its crew, its account."""

    def __init__(
        self,
        plan: Plan,
        *,
        run_dir: RunDir,
        state_dir: StateDir,
        budget: Budget,
        grace: float,
        environ: Mapping[str, str],
        resume: bool = False,
        listeners: Iterable[Listener] = (),
        clock: Clock = monotonic,
    ) -> None:
        """Nothing happens before ``run``. ``resume``: sources go on from where the last run has come to.

        Raises:
            EnvironmentFault: a stage's interpreter is not there.
            UserError: a secret cannot be had.
        """
        self.plan = plan
        self.run_dir = run_dir
        self.state_dir = state_dir
        self.listeners: list[Listener] = list(listeners)
        self.roster: Roster = enrol(plan, grace=grace)
        self.crew: dict[int, Member] = {}
        self.account = Account(plan)
        self.born = clock()
        self.outfit = Outfit(
            plan, run_dir=run_dir, state_dir=state_dir, budget=budget, environ=environ, resume=resume
        )
        self._clock = clock
        self._oom = OomWatch()
        self._news: deque[Stimulus] = deque()
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self.recordings = Recordings(self)
        self.taps = Taps(self)
        self.lobby = Lobby(self)
        self.jobs: Jobs | None = None
        """Of a run that has groups, or draws from queues."""
        self.on_imports: Callable[[int, list[str]], None] = lambda number, files: None

    async def run(self) -> Roster:
        """Start all workers and keep them going until the run is over; the roster at its end.

        If it is cancelled, or fails, every worker is killed: nothing is left behind.
        """
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._on_fault)
        self._ended = self._loop.create_future()
        self.born = self._clock()
        asked = {stage.name: stage.replicas for stage in self.plan.stages}
        self.report(
            events.RunBegan(run=self.run_dir.name, pipeline=self.plan.pipeline, pid=os.getpid(), stages=asked)
        )
        try:
            self.tell(stimulus.Begin())
            await self._ended
            self.recordings.stop(at_end=True)
        finally:
            self._clear()
            self._loop.set_exception_handler(None)
        return self.roster

    def tell(self, happened: Stimulus) -> None:
        """Something has happened: decide, and do what follows, before this returns.

        What happens meanwhile (a process that cannot be made) waits its turn: actions of one decision
        are done in their order, before the next is made.
        """
        self._news.append(happened)
        if self._busy:
            return
        self._busy = True
        try:
            while self._news:
                self.roster, actions = step(self.roster, self._news.popleft(), self._clock())
                for wanted in actions:
                    self._do(wanted)
        finally:
            self._busy = False
        self._set_timer()

    def report(self, *told: events.Event) -> None:
        """Let all listeners know."""
        for event in told:
            for listener in tuple(self.listeners):
                listener(event)

    def balance(self) -> dict[int, LinkCount]:
        """The ledger now, by link."""
        return self.account.balance(member.reading() for member in self.crew.values())

    def totals(self) -> Totals:
        """The run in one line, now."""
        return total(self.plan, self.balance())

    # What policy wants -----------------------------------------------------------------------------------

    def _do(self, wanted: Action) -> None:
        match wanted:
            case action.Spawn():
                self._spawn(wanted)
            case action.Admit() | action.Refuse():
                self.lobby.answer(wanted)
            case action.Introduce(link, sender, receiver):
                self._introduce(link, sender, receiver)
            case action.Announce() | action.Tell() | action.Pause():
                self._pass_on(wanted)
            case action.Kill(number):
                self._kill(number)
            case action.Look() | action.Count():
                self.tell(self._seen(wanted))
            case action.Retire(number, remains):
                self._retire(number, remains)
            case action.Report(event):
                self.report(event)
            case action.End():
                self._ended.set_result(None)

    def _pass_on(self, wanted: action.Announce | action.Tell | action.Pause) -> None:
        """What is for one worker to hear."""
        match wanted:
            case action.Announce(to, gone, label, cause, blame):
                self.send(to, control.Gone(gone, label, cause, blame))
            case action.Tell(number, goal):
                self.send(number, control.Drain() if goal == Goal.DRAIN else control.Stop())
            case action.Pause(number, paused):
                self.send(number, control.Pause(paused))

    def _spawn(self, wanted: action.Spawn) -> None:
        log_start = log_size(self.state_dir.log_path(wanted.stage, wanted.replica))
        try:
            child = self._start(wanted)
        except OSError as error:
            death = process.stillbirth(self.outfit.interpreter(wanted.stage), error)
            self.tell(stimulus.Died(wanted.number, death))
            return
        self.enlist(wanted, child, log_start)

    def enlist(
        self, wanted: action.Spawn | action.Admit, child: process.Child | Visit, log_start: int, **other: Any
    ) -> None:
        """Take charge of a process, and give it its assignment (with what is ``other`` in it than usual)."""
        record = self.recordings.wish(wanted.number, wanted.stage)
        assignment = self.outfit.assign(wanted, self.roster, record=record)
        line = Line(
            child.socket,
            loop=self._loop,
            on_message=partial(self._heard, wanted.number),
            on_nonsense=lambda why: self._misheard(wanted.number, why),
            on_end=child.gone if isinstance(child, Visit) else None,
        )
        links = sum(len(outlet.links) for outlet in assignment.outlets) + len(assignment.inlinks)
        self.crew[wanted.number] = Member(
            number=wanted.number,
            stage=wanted.stage,
            replica=wanted.replica,
            links=links,
            child=child,
            line=line,
            log=self.state_dir.log_path(wanted.stage, wanted.replica),
            log_start=log_start,
            foreign=self.outfit.foreign(wanted.stage),
        )
        line.send(msgspec.structs.replace(assignment, **other))
        kind = events.GuestAttached if isinstance(child, Visit) else events.WorkerStarted
        self.report(kind(stage=wanted.stage, replica=wanted.replica, number=wanted.number, pid=child.pid))

    def _start(self, wanted: action.Spawn) -> process.Child:
        log = self.state_dir.open_log(wanted.stage, wanted.replica)
        try:
            command, env = self.outfit.surroundings(wanted.stage, wanted.replica)
            on_exit = partial(self.exited, wanted.number)
            return process.Child(command, env=env, log=log, on_exit=on_exit, loop=self._loop)
        finally:
            os.close(log)

    def _introduce(self, link: int, sender: int, receiver: int) -> None:
        peer = self.crew.get(sender)
        if peer is not None:
            label = f"{peer.stage}/{peer.replica}"
            self.send(receiver, control.Connect(link, sender, label, self.run_dir.endpoint(sender)))

    def send(self, number: int, message: control.ToWorker) -> None:
        """Tell a worker, if it is there."""
        if member := self.crew.get(number):
            member.line.send(message)

    def _kill(self, number: int) -> None:
        if member := self.crew.get(number):
            if isinstance(member.child, Visit):
                why = self.roster.workers[number].condemned
                member.line.send(control.Dismissed(why or "the pipeline is stopped"))
            member.child.kill()

    def _seen(self, wanted: action.Look | action.Count) -> Stimulus:
        """What the status pages say."""
        if isinstance(wanted, action.Look):
            member = self.crew.get(wanted.number)
            return stimulus.Looked(wanted.number, member.started if member else None)
        counts, now = self.balance(), self._clock()
        items = {stage: items_for(self.plan, counts, stage) for stage in wanted.stages}
        return stimulus.Counted(items, {number: each.motion(now) for number, each in self.crew.items()})

    def _retire(self, number: int, remains: action.Remains) -> None:
        if member := self.crew.pop(number, None):
            self.account.keep(member.reading(), remains)
            self.recordings.gone(member)
            member.close()
        self.run_dir.forget(number)

    # What happens ----------------------------------------------------------------------------------------

    def exited(self, number: int, exit: int) -> None:
        """The process of a worker is no more, or no worker any more."""
        member = self.crew[number]
        member.line.drain()
        condemned = any(one.number == number and one.condemned for one in self.roster.workers.values())
        death = member.death(exit, self._oom, condemned=condemned)
        self.tell(stimulus.Died(number, death if self.jobs is None else self.jobs.died(number, death)))

    def _heard(self, number: int, message: control.ToSupervisor) -> None:
        member = self.crew[number]
        match message:
            case control.Ready() | control.Leaving() | control.Finished() | control.Failed():
                self.tell(stimulus.said(number, message))
            case control.Bound(_, python):
                self._bound(member, python)
            case control.Imported(files):
                self.on_imports(number, files)
            case jobwire.Worked() | jobwire.JobNote() if self.jobs is not None:
                self.jobs.heard(number, message)
            case queuewire.Told() if self.jobs is not None:
                self.jobs.feeds.heard(number, message)
            case control.Recorded(link, failure):
                self.recordings.heard(member, link, failure)
            case control.Progress(notes):
                self.report(*member.progressed(notes, self._clock()))
            case control.Notice():
                self.report(member.noticed(message))

    def _bound(self, member: Member, python: str) -> None:
        member.python = python
        try:
            member.open_page(control.paths(self.run_dir.path, member.number)[2])
        except OSError as error:
            self._misheard(member.number, f"its status page cannot be read: {error.strerror}")
        else:
            self.taps.welcome(member)
            self.tell(stimulus.Bound(member.number))

    def requeue(self, links: Collection[int]) -> list[int]:
        """Dead letters were put back: have those look for them who feed these links; the links that somebody
        feeds now, or will in this run."""
        for member in self.crew.values():
            if not set(links).isdisjoint(self.account.out_ids(member.stage)):
                member.line.send(control.Requeue())
        return [link.id for link in self.plan.links if link.id in links and self._works(link.source)]

    def _works(self, stage: str) -> bool:
        """Whether it begins something new in this run, now or when it is there again."""
        roster = self.roster
        waits = any(name == stage and seat.due is not None for (name, _), seat in roster.seats.items())
        working = (one for one in roster.members(stage) if one.takes)
        dry = {"draining", "finished"}
        return roster.goal == Goal.WORK and (
            waits or any(self.crew[one.number].state not in dry for one in working)
        )

    def _misheard(self, number: int, why: str) -> None:
        """A worker we cannot understand is no use: its death is mended like any other."""
        self.tell(stimulus.Failed(number, why, "", permanent=False))
        self._kill(number)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wake = self.roster.wake()
        # asyncio counts in time.monotonic as we do; it may wake a clock tick early, hence never below 1 ms.
        delay = None if wake is None else max(0.001, wake - self._clock())
        self._timer = None if delay is None else self._loop.call_later(delay, self.tell, stimulus.Tick())

    def _on_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback of ours has raised: better no run than one that nobody watches over."""
        error = context.get("exception")
        if error is not None and "handle" in context and not self._ended.done():
            self._ended.set_exception(error)
        else:
            loop.default_exception_handler(context)

    def _clear(self) -> None:
        """The end of all things: also of a run that was cancelled in the middle."""
        if self._timer is not None:
            self._timer.cancel()
        for member in self.crew.values():
            member.child.abandon()
            member.close()
        self.crew.clear()
        self.lobby.close()
        sweep.kill_descendants(self.run_dir.path)
