"""Runs in the supervisor: one per run. It does what ``policy`` decides, and tells it what has happened.

It runs no user code and no item passes through it. It sleeps until the kernel has news: the end of a
process, words from a worker or from the command line, a signal, or a time that ``policy`` named.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.lifecycle import Clock, monotonic
from penstock.observe import events
from penstock.pipeline.plan import Plan, StagePlan
from penstock.runtime import control, sweep
from penstock.runtime.oom import OomWatch
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.action import Action
from penstock.runtime.policy.policy import step
from penstock.runtime.policy.roster import Goal, Roster, enrol
from penstock.runtime.policy.stimulus import Stimulus
from penstock.runtime.rundir import RunDir
from penstock.runtime.shm import Budget
from penstock.runtime.statedir import StateDir
from penstock.runtime.supervisor.account import Account, LinkCount, Totals, items_for, total
from penstock.runtime.supervisor.crew import Member
from penstock.runtime.supervisor.lobby import Lobby
from penstock.runtime.supervisor.outfit import Outfit
from penstock.runtime.supervisor.recordings import Recordings
from penstock.runtime.supervisor.recruiter import Recruiter
from penstock.runtime.supervisor.taps import Taps
from penstock.runtime.supervisor.visit import Visit

if TYPE_CHECKING:
    from penstock.environments.environment import Environment
    from penstock.runtime.hosts.hosts import Hosts
    from penstock.runtime.jobs.jobs import Jobs
    from penstock.runtime.supervisor.services import Services
    from penstock.runtime.supervisor.topics import Topics
    from penstock.runtime.supervisor.versions import Versions

Listener = Callable[[events.Event], None]


def _nothing_more(plan: Plan) -> Mapping[str, Environment]:
    """Makes the environments ready that a plan needs; takes its time. (Ours knows of none.)"""
    return {}


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
        environments: Mapping[str, Environment] = {},
    ) -> None:
        """Nothing happens before ``run``. ``resume``: sources go on from where the last run has come to.
        ``environments``: those that stages name, by name.

        Raises:
            EnvironmentFault: a stage's interpreter is not there.
            UserError: a secret cannot be had.
        """
        self.plan = plan
        self.run_dir = run_dir
        self.state_dir = state_dir
        self.listeners: list[Listener] = list(listeners)
        self.roster: Roster = enrol(plan, grace=grace, cores=len(os.sched_getaffinity(0)))
        self.crew: dict[int, Member] = {}
        self.account = Account(plan)
        self.environments = dict(environments)
        self.provide: Callable[[Plan], Mapping[str, Environment]] = _nothing_more
        self.born = clock()
        self.outfit = Outfit(
            plan,
            run_dir=run_dir,
            state_dir=state_dir,
            budget=budget,
            environ=environ,
            resume=resume,
            environments=environments,
        )
        self._clock = clock
        self._oom = OomWatch()
        self._news: deque[Stimulus] = deque()
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self.recordings = Recordings(self)
        self.taps = Taps(self)
        self.lobby = Lobby(self)
        self.recruiter = Recruiter(self)
        self.jobs: Jobs | None = None
        """Of a run that has groups, or draws from queues."""
        self.hosts: Hosts | None = None
        """Of a run that others may join."""
        self.versions: Versions | None = None
        self.words: Any = control.ToSupervisor
        """What its workers may say; where there are jobs, they say more."""
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

    def extend(self, stage: StagePlan) -> None:
        """There is one more stage that is called. Whoever is to work in it is for ``policy`` to say.

        Raises:
            PenstockError: it cannot run here: its environment, interpreter or a secret is not to be had.
        """
        others = [each for each in self.plan.stages if each.name != stage.name]
        plan = msgspec.structs.replace(self.plan, stages=[*others, stage])
        self.outfit.add(plan, stage, self.environments)
        self.plan = self.account.plan = plan

    def balance(self) -> dict[int, LinkCount]:
        """The ledger now, by link."""
        return self.account.balance(member.reading() for member in self.crew.values())

    def totals(self) -> Totals:
        """The run in one line, now."""
        return total(self.plan, self.balance())

    @cached_property
    def topics(self) -> Topics:
        """Who publishes and who subscribes; made when somebody does."""
        from penstock.runtime.supervisor.topics import Topics

        return Topics(self)

    @cached_property
    def services(self) -> Services:
        """What callers are told; made when one asks."""
        from penstock.runtime.supervisor.services import Services

        return Services(self)

    @property
    def has_topics(self) -> bool:
        """Whether anybody has."""
        return "topics" in vars(self)

    # What policy wants -----------------------------------------------------------------------------------

    def _do(self, wanted: Action) -> None:
        match wanted:
            case action.Spawn():
                self.recruiter.spawn(wanted)
            case action.Admit() | action.Refuse():
                self.lobby.answer(wanted)
            case action.Introduce(link, sender, receiver):
                self._introduce(link, sender, receiver)
            case action.Announce() | action.Tell() | action.Pause() | action.Release():
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

    def _pass_on(self, wanted: action.Announce | action.Tell | action.Pause | action.Release) -> None:
        """What is for one worker to hear, or for one host."""
        match wanted:
            case action.Announce(to, gone, label, cause, blame):
                self.send(to, control.Gone(gone, label, cause, blame))
            case action.Tell(number, goal):
                self.send(number, control.Drain() if goal == Goal.DRAIN else control.Stop())
            case action.Pause(number, paused):
                self.send(number, control.Pause(paused))
            case action.Release(host, unfit) if self.hosts is not None:
                self.hosts.release(host, unfit)

    def _introduce(self, link: int, sender: int, receiver: int) -> None:
        peer, other = self.crew.get(sender), self.crew.get(receiver)
        if peer is not None and other is not None:
            endpoint = self.endpoint(
                lambda run_dir: f"ipc://{control.paths(run_dir, sender)[0]}",
                peer.tcp,
                home=peer.child.host,
                host=other.child.host,
            )
            other.line.send(control.Connect(link, sender, f"{peer.stage}/{peer.replica}", endpoint))

    def endpoint(self, near: Callable[[str], str], tcp: str, *, home: str, host: str) -> str:
        """How processes on ``host`` find what listens on the host ``home`` (empty: the first one) at
        ``near(its run directory)``, and for other hosts at ``tcp``."""
        if self.hosts is None:
            return near(self.run_dir.path)
        return self.hosts.lodging.endpoint(near, tcp, home=home, host=host)

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
            self.account.keep(member.reading(), remains, unheard=member.child.lost)
            if self.versions is not None:
                self.versions.keep(member)
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

    def heard(self, number: int, message: Any) -> None:
        """What a worker says."""
        member = self.crew[number]
        match message:
            case control.Ready() | control.Leaving() | control.Finished() | control.Failed():
                self.tell(stimulus.said(number, message))
            case control.Bound(python=python, tcp=tcp):
                member.python, member.tcp = python, tcp
                self._bound(member, message)
            case control.Publishing(tcp):
                self.topics.begin(member, tcp)
            case control.Imported(files):
                self.on_imports(number, files)
            case control.Recorded(link, failure):
                self.recordings.heard(member, link, failure)
            case control.Position(data) if self.hosts is not None:
                self.hosts.positions.heard(member, data)
            case control.Progress(notes):
                self.report(*member.progressed(notes, self._clock()))
            case control.Notice():
                self.report(member.noticed(message))
            case _ if self.jobs is not None:
                self.jobs.heard(number, message)

    def _bound(self, member: Member, said: control.Bound) -> None:
        elsewhere = "" if member.child.host else self.outfit.elsewhere(member.stage, said.prefix)
        if wrong := control.foreign(said.version, "it") or elsewhere:
            self.tell(stimulus.Failed(member.number, wrong, "", permanent=True))
            self._kill(member.number)
            return
        try:
            member.open_page(control.paths(self.run_dir.path, member.number)[2])
        except OSError as error:
            self.misheard(member.number, f"its status page cannot be read: {error.strerror}")
        else:
            self.taps.welcome(member)
            if self.hosts is not None:
                self.hosts.lend()
            self.tell(stimulus.Bound(member.number))

    def misheard(self, number: int, why: str) -> None:
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
