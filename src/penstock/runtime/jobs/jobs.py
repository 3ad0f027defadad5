"""Runs in the supervisor: jobs for the workers of its groups.

It claims jobs for those who are free, hands them over, watches their time, ends those that are to end, and
says what became of each. It waits for a bell, a worker, the end of a process or a time, and polls nothing.

The life of a claim:

    Wish -> Claim -> Work to a worker -> Worked -> Close        (done, failed, given back)
                                      -> death  -> Close        (a crash, or given back if it had not begun)
            cancel, time-out: Cancel, SIGTERM to the process group -> grace -> SIGKILL -> death -> Close

A job that was told to end changes its state when its process group is gone, never before.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from penstock.observe import events
from penstock.pipeline.plan import GROUP
from penstock.runtime import control
from penstock.runtime.jobs import ahead, keeper, verdicts
from penstock.runtime.jobs.book import Close, Glance, Look, Pause, Say, Wish
from penstock.runtime.jobs.employer import Employer
from penstock.runtime.jobs.feeds import Feeds
from penstock.runtime.jobs.neighbours import Neighbours
from penstock.runtime.jobs.post import Held, Post, work_of
from penstock.runtime.jobwire import Cancel, JobNote, Recall, ToSupervisor, Worked
from penstock.runtime.policy.death import Death
from penstock.runtime.policy.roster import Goal
from penstock.runtime.queuewire import Told
from penstock.runtime.supervisor.supervisor import Supervisor
from penstock.tasks.breaker import Breaker
from penstock.tasks.home import Home
from penstock.tasks.job import Claim
from penstock.tasks.keeping import USUAL, Keeping
from penstock.tasks.schedule import Scheduled
from penstock.tasks.settle import Closing, Outcome, Returned
from penstock.tasks.store import Word

NET = 5.0
"""Seconds after which we look round though nobody has rung."""


class Jobs:
    """Those of one run."""

    def __init__(
        self,
        supervisor: Supervisor,
        home: Home,
        schedules: Sequence[Scheduled] | None = None,
        broker: str = "",
        keeping: Keeping = USUAL,
    ) -> None:
        """Nothing happens before ``start``. ``schedules``: of its groups, if their code is known; ``broker``:
        the address of what the jobs go over; empty: they are kept on this machine."""
        self.tally: Counter[str] = Counter()
        """How many attempts came to what: ``done``, ``failed``, ``returned``..., and ``dead`` jobs."""
        self._supervisor = supervisor
        self._home = home
        self._schedules = schedules
        self._broker = broker
        self._keeping = keeping
        self._groups = {stage.name: stage for stage in supervisor.plan.stages if stage.kind == GROUP}
        self._posts: dict[int, Post] = {}
        self._wished: Counter[str] = Counter()
        """So many jobs are asked for and have not come."""
        self._wishing: set[str] = set()
        """Groups that are about to wish."""
        self._alone: dict[str, list[Held]] = {name: [] for name in self._groups}
        """Jobs that wait for a process of their own."""
        self._means: dict[str, float] = {}
        self._breakers = dict.fromkeys(self._groups, Breaker())
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.feeds = Feeds(supervisor)
        """What sources draw from queues."""

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            EnvironmentFault: the store cannot be opened, the broker cannot be used.
            OSError: there is no place for locks and bells beside the store.
        """
        self._loop = asyncio.get_running_loop()
        employer = Employer(
            self._home,
            groups={**{name: stage.replicas for name, stage in self._groups.items()}, **self.feeds.queues},
            run_base=os.path.dirname(self._supervisor.run_dir.path),
            on_change=self._look,
            on_trouble=self._trouble,
            schedules=self._schedules,
            keeping=self._keeping,
            gpus={name: stage.share for name, stage in self._groups.items()},
            unfenced=[name for name, stage in self._groups.items() if stage.run_without_store],
        )
        self._keeper = await keeper.hire(employer, self._broker)
        self.feeds.start(self._keeper.ask)
        self._neighbours = Neighbours(self._loop, self._look)
        self._supervisor.listeners.append(self._on_event)
        self._supervisor.jobs, self._supervisor.words = self, ToSupervisor
        self._look()

    async def close(self) -> None:
        """Say what is still to be said, and leave."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for post in list(self._posts.values()):
            for held in post.held:
                self._settle(post, held, Returned("its supervisor has ended"))
        self._give_back_waiting()
        self.feeds.close()
        await self._keeper.close()
        self._neighbours.close()

    @property
    def summary(self) -> str:
        """In one line, for people: ``12 done   1 failed   0 dead   2 running``."""
        counts = {"done": 0, "failed": 0, "dead": 0, **self.tally}
        shown = [f"{count:,} {kind}" for kind, count in counts.items() if kind != "late"]
        running = sum(1 for post in self._posts.values() if post.held)
        return "   ".join([*shown, f"{running} running"] if running else shown)

    # What happens ----------------------------------------------------------------------------------------

    def heard(self, number: int, message: Worked | JobNote | Told) -> None:
        """A worker of a group says something, or of a source that draws from a queue."""
        if isinstance(message, Told):
            self.feeds.heard(number, message)
            return
        post = self._posts.get(number)
        held = post.find(message.id, message.fence) if post else None
        if post is None or held is None:
            return
        if isinstance(message, JobNote):
            self._note(post, held, message)
        else:
            self._worked(post, held, message)

    def died(self, number: int, death: Death) -> Death:
        """A worker has ended, and all it has started; what is to be known of that besides."""
        self.feeds.died(number)
        post = self._posts.pop(number, None)
        first = post.first if post else None
        if post is None or first is None:
            return death
        if self._supervisor.roster.workers[number].finished:  # what has crossed its last word it never saw
            for held in post.held:
                self._settle(post, held, Returned(begun=False))
            return death
        for held in post.held:
            held.disarm()
            told = self._told(number) >= Goal.STOP
            outcome = verdicts.of_death(death, held.ending, held.claim.rules.timeout, told=told)
            self._settle(post, held, outcome if held is first else Returned(begun=False))
        if verdicts.is_killer(first.ending) and self._told(number) < Goal.STOP:
            self._count_killer(post.group, first.claim.id)
        why = f"{first.claim.task} {first.ending.value}" if first.ending else ""
        return death._replace(in_hand=first.claim.id, parting=why)

    def _on_event(self, event: events.Event) -> None:
        if isinstance(event, events.WorkerReady) and event.stage in self._groups:
            member = self._supervisor.crew[event.number]
            self._posts[event.number] = Post(member, event.stage)
            self._place_waiting(event.stage)
            self._wish(event.stage)
        elif isinstance(event, events.StageResumed) and event.stage in self._groups:
            self._wish(event.stage)
        elif isinstance(event, events.StagePaused) and event.stage in self._groups:
            self._keeper.hush(event.stage)
        elif isinstance(event, (events.DrainBegan, events.StopBegan)):
            for group in (*self._groups, *self.feeds.queues):
                self._keeper.hush(group)
            self._give_back_waiting()

    def _trouble(self, sentence: str) -> None:
        self._notice(next(iter([*self._groups, *self.feeds.queues])), "warning", sentence)

    def _notice(self, group: str, kind: str, text: str) -> None:
        self._supervisor.report(
            events.Noticed(stage=group, replica=0, number=0, kind=kind, text=text, fields={})
        )

    # Looking round ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Jobs that are due, jobs that are to end, neighbours that have died."""
        if self._closed:
            return
        self._keeper.ask(Look(self._looked))
        for group in self._groups:
            self._wish(group)
        self.feeds.look()

    def _looked(self, glance: Glance) -> None:
        if self._closed:
            return
        for id in glance.ending:
            self._end(id, verdicts.Ending.CANCEL)
        for orphan in glance.orphans:
            self._notice(orphan.group, "failure", f"{orphan.task} {orphan.seq}: its supervisor was killed")
        self._neighbours.watch(glance.neighbours)
        if self._timer is not None:
            self._timer.cancel()
        wait = NET if glance.due is None else min(NET, max(0.0, glance.due / 1000.0 - time.time()))
        self._timer = self._loop.call_later(wait + 0.001, self._look)

    # Claiming and handing over ---------------------------------------------------------------------------

    def _wish(self, group: str) -> None:
        """Ask for as many jobs as there is room for."""
        self._wishing.discard(group)
        if self._closed:
            return
        room = sum(self._room(post) for post in self._of(group)) - len(self._alone[group])
        missing = room - self._wished[group]
        if missing > 0:
            self._wished[group] += missing
            self._keeper.ask(Wish(group, missing, self._groups[group].share, self._claimed(group, missing)))

    def _wish_soon(self, group: str) -> None:
        """Short jobs end by the dozen: one wish for all."""
        if group not in self._wishing:
            self._wishing.add(group)
            self._loop.call_soon(self._wish, group)

    def _claimed(self, group: str, wished: int) -> Callable[[list[Claim]], None]:
        def place(claims: list[Claim]) -> None:
            self._wished[group] -= wished
            for claim in claims:
                self._place(group, Held(claim, self._home.log(claim.id, claim.fence)))
            if len(claims) == wished:
                self._wish(group)

        return place

    def _of(self, group: str) -> Iterator[Post]:
        return (post for post in self._posts.values() if post.group == group)

    def _room(self, post: Post) -> int:
        """How many more jobs it may have."""
        stage = self._supervisor.roster.stages[post.group]
        if post.leaves or stage.paused or self._told(post.number) > Goal.WORK:
            return 0
        return max(0, ahead.handed(self._means.get(post.group)) - len(post.held))

    def _told(self, number: int) -> Goal:
        """How far that worker was told to end."""
        worker = self._supervisor.roster.workers.get(number)
        return (
            self._supervisor.roster.goal if worker is None else max(worker.told, self._supervisor.roster.goal)
        )

    def _place(self, group: str, held: Held) -> None:
        """Give it to who has the least to do; back, if nobody may have it any more."""
        free = [post for post in self._of(group) if self._room(post)]
        if not free:
            self._settle(None, held, Returned(begun=False))
        elif held.claim.rules.isolate:
            self._place_alone(free, held)
        else:
            self._hand(min(free, key=lambda post: len(post.held)), held)

    def _place_alone(self, free: list[Post], held: Held) -> None:
        """Give it to a process that has run nothing yet, if need be a new one."""
        fresh = next((post for post in free if not post.is_used), None)
        if fresh is not None:
            fresh.leaves = True
            self._hand(fresh, held)
            return
        self._alone[free[0].group].append(held)
        idle = next((post for post in free if not post.held), None)
        if idle is not None:
            self._renew(idle)

    def _renew(self, post: Post) -> None:
        post.leaves = True
        post.member.line.send(control.Drain())

    def _place_waiting(self, group: str) -> None:
        waiting, self._alone[group] = self._alone[group], []
        for held in waiting:
            self._place(group, held)

    def _give_back_waiting(self) -> None:
        for waiting in self._alone.values():
            while waiting:
                self._settle(None, waiting.pop(), Returned(begun=False))

    def _hand(self, post: Post, held: Held) -> None:
        claim = held.claim
        post.held.append(held)
        post.is_used = True
        post.member.line.send_soon(work_of(claim, self._home, held.log))
        if post.first is held:
            self._began(post, held)
        elif len(post.held) == 2:
            self._arm_recall(post)

    def _began(self, post: Post, held: Held) -> None:
        """It is the one that its worker works on now."""
        if held.ending:
            self._signal(post, held)
        timeout = held.claim.rules.timeout
        if timeout is not None:
            held.timers.append(
                self._loop.call_later(timeout, self._end, held.claim.id, verdicts.Ending.TIMEOUT)
            )
        if len(post.held) > 1:
            self._arm_recall(post)

    def _arm_recall(self, post: Post) -> None:
        first = post.held[0]
        first.timers.append(self._loop.call_later(ahead.LONG, post.member.line.send, Recall()))

    # How it goes, and how it ends ------------------------------------------------------------------------

    def _note(self, post: Post, held: Held, note: JobNote) -> None:
        word = Word(note.id, note.fence, note.progress, note.numbers, note.resume_uri, note.resume_step)
        self._keeper.ask(Say(word, self._noted))
        if note.progress is not None:
            name = f"{held.claim.task} {held.claim.seq}"
            self._show(post, [control.Note(name, note.progress, note.numbers)])

    def _show(self, post: Post, notes: list[control.Note]) -> None:
        self._supervisor.report(*post.member.progressed(notes, time.monotonic()))

    def _noted(self, ids: list[str]) -> None:
        for id in ids:
            self._end(id, verdicts.Ending.CANCEL)

    def _worked(self, post: Post, held: Held, worked: Worked) -> None:
        is_first = post.first is held
        if is_first and held.ending:
            post.member.child.kill()  # its death is what counts: all that it has started goes with it
            return
        post.held.remove(held)
        held.disarm()
        if is_first and post.member.headway.notes:
            self._show(post, [])
        if is_first and worked.begun:
            self._means[post.group] = ahead.mean(self._means.get(post.group), worked.took)
            self._breakers[post.group] = self._breakers[post.group].survived()
        self._settle(post, held, verdicts.of_word(worked), worked)
        if is_first and post.first is not None:
            self._began(post, post.first)
        if not post.held and not post.leaves and self._alone[post.group]:
            self._renew(post)
        self._wish_soon(post.group)

    def _settle(self, post: Post | None, held: Held, outcome: Outcome, said: Worked | None = None) -> None:
        claim = held.claim
        closing = Closing(
            claim.id,
            claim.fence,
            outcome,
            worker=post.label if post else "",
            pid=post.member.child.pid if post else 0,
            log=held.log if post and (said is None or said.printed) else "",
            wrote=said is None or said.wrote,
            env=post.member.env if post else "",
        )
        self._keeper.ask(Close(closing, lambda state: self._settled(claim, outcome, state)))

    def _settled(self, claim: Claim, outcome: Outcome, state: str | None) -> None:
        kind, text = verdicts.told(claim, outcome, state)
        self.tally[kind] += 1
        if text:
            self._notice(claim.group, "dead" if kind == "dead" else "failure", text)

    def _end(self, id: str, why: verdicts.Ending) -> None:
        """Have a job end that runs here, once."""
        for post in self._posts.values():
            held = post.find(id)
            if held is not None and held.ending is None:
                held.ending = why
                post.member.line.send(Cancel(id))
                if post.first is held:
                    self._signal(post, held)

    def _signal(self, post: Post, held: Held) -> None:
        """Ask its process group to end, and kill what has not when the grace is over."""
        post.leaves = True
        post.member.child.terminate()
        held.timers.append(self._loop.call_later(held.claim.rules.grace, post.member.child.kill))

    def _count_killer(self, group: str, job: str) -> None:
        breaker = self._breakers[group] = self._breakers[group].killed(job)
        if breaker.is_open:
            self._breakers[group] = Breaker()
            self._keeper.ask(Pause(group, breaker.why, lambda _: None))
            cure = f"penstock tasks resume {group}"
            self._notice(group, "warning", f"{group} is paused: {breaker.why}; when that is mended: {cure}")
