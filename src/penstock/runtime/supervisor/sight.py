"""Runs in the supervisor: how fast a run goes, worker by worker and link by link, and what it waits for.

Everything is read from the status pages and from the kernel when somebody asks; nobody is disturbed.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from penstock.link.batching import Pace
from penstock.observe import page
from penstock.pipeline.plan import inlinks
from penstock.runtime.policy.roster import Goal, Stage, Worker
from penstock.runtime.supervisor import bottleneck
from penstock.runtime.supervisor.account import LinkCount, items_for, out_count
from penstock.runtime.supervisor.bottleneck import Bottleneck, Load, Machine
from penstock.runtime.supervisor.gauge import Look, Meter, WorkerPace, link_pace, worker_pace
from penstock.runtime.supervisor.supervisor import Supervisor
from penstock.runtime.supervisor.usage import Usage

Facts = dict[str, Any]
SHARED, SOCKET = "shared memory", "socket"


class Sights(NamedTuple):
    """What was seen."""

    span: float
    """Seconds that the rates and parts are means of."""
    workers: dict[int, Facts]
    """By number."""
    links: dict[int, Facts]
    """By id."""
    bottleneck: Bottleneck | None


class Sight:
    """Looks at a supervisor's crew; changes nothing."""

    def __init__(self, supervisor: Supervisor, *, now: float) -> None:
        self._supervisor = supervisor
        self._meter = Meter(now)
        self._usage: dict[int, tuple[float, Usage]] = {}
        """When each worker was last asked for by somebody, and what it had used by then."""

    def look(self, now: float) -> None:
        """Remember how things stand, to compare with later."""
        self._meter.look(self._now(now))

    def read(self, now: float) -> Sights:
        """How it has gone since the look of a second ago, or the next older one."""
        before, after = self._meter.since(now), self._now(now)
        self._meter.look(after)
        paces = {number: self._pace(number, before, after) for number in after.workers}
        uses = self._uses(now)
        span = now - before.at
        return Sights(
            span=span,
            workers={
                number: {**_rounded(pace), **uses[number], **self._holds(number)}
                for number, pace in paces.items()
            },
            links={link: self._link(link, before, after, now) for link in after.links},
            bottleneck=self._bottleneck(paces, sum(use["cpu"] for use in uses.values())),
        )

    def _now(self, now: float) -> Look:
        crew = self._supervisor.crew
        return Look(
            now, {number: each.work(now) for number, each in crew.items()}, self._supervisor.balance()
        )

    def _pace(self, number: int, before: Look, after: Look) -> WorkerPace:
        worker = self._supervisor.roster.workers[number]
        if worker.ready_at is None:
            return WorkerPace()
        span = after.at - max(before.at, worker.ready_at)
        return worker_pace(before.workers.get(number), after.workers[number], span)

    def _uses(self, now: float) -> dict[int, Facts]:
        found = {}
        for number, member in self._supervisor.crew.items():
            used = member.child.usage()
            born = self._supervisor.roster.workers[number].born
            at, before = self._usage.get(number, (born, Usage()))
            span = now - at
            cpu = max(0.0, used.cpu - before.cpu) / span if span > 0 else 0.0
            found[number] = {"cpu": round(cpu, 3), "rss_bytes": used.rss}
            if number not in self._usage or span >= 1.0:
                self._usage[number] = (now, used)
        self._usage = {number: told for number, told in self._usage.items() if number in found}
        return found

    def _holds(self, number: int) -> Facts:
        """Items a worker has in hand; a source, what it has sent and is not settled."""
        member = self._supervisor.crew[number]
        out = len(self._supervisor.account.out_ids(member.stage))
        links = member.reading().links
        if inlinks(self._supervisor.plan, member.stage):
            return {"in_flight": sum(words[page.HELD] for words in links[out:])}
        return {"in_flight": sum(out_count(words).in_flight for words in links)}

    # Links -----------------------------------------------------------------------------------------------

    def _link(self, link: int, before: Look, after: Look, now: float) -> Facts:
        count = after.links[link]
        pace = link_pace(before.links.get(link, LinkCount()), count, now - before.at)
        senders = self._senders(link)
        went = min((words[page.OLDEST] for words in senders if words[page.OLDEST]), default=0)
        window = sum(self._window(link, words) for words in senders)
        return {
            "id": link,
            "rate": round(pace.rate, 3),
            "bytes_rate": round(pace.bytes, 1),
            "window": window,
            "fill": round(min(1.0, count.held / window), 3) if window else 0.0,
            "oldest": round(max(0.0, now - went / 1e9), 3) if went else None,
            "transport": SHARED if pace.shared >= 0.5 else SOCKET,
        }

    def _senders(self, link: int) -> list[Any]:
        """What the pages of the living senders say of a link."""
        supervisor = self._supervisor
        source = supervisor.plan.links[[each.id for each in supervisor.plan.links].index(link)].source
        at = supervisor.account.out_ids(source).index(link)
        readings = [each.reading().links for each in supervisor.crew.values() if each.stage == source]
        return [links[at] for links in readings if len(links) > at]

    def _window(self, link: int, words: Any) -> int:
        """Items that the receivers of one sender may hold."""
        plan = self._supervisor.plan
        target = next(each.target for each in plan.links if each.id == link)
        receivers = sum(one.ready_at is not None for one in self._supervisor.roster.members(target))
        pace = Pace()
        pace.cost = float(words[page.COST])
        return receivers * (plan.stage(target).room or pace.depth() * pace.target())

    # The bottleneck --------------------------------------------------------------------------------------

    def _bottleneck(self, paces: dict[int, WorkerPace], used: float) -> Bottleneck | None:
        if self._supervisor.roster.goal != Goal.WORK:
            return None
        for stage in self._supervisor.roster.stages.values():
            why = bottleneck.vacant if self._is_vacant(stage) else bottleneck.paused if stage.paused else None
            if why is not None and (items := self._items_for(stage.name)):
                return why(stage.name, items)
        loads = [self._load(stage.name, paces) for stage in self._supervisor.roster.stages.values()]
        machine = Machine(len(os.sched_getaffinity(0)), used)
        return bottleneck.find([load for load in loads if load is not None], machine)

    def _is_vacant(self, stage: Stage) -> bool:
        return stage.external and not any(self._supervisor.roster.members(stage.name))

    def _items_for(self, stage: str) -> int:
        return items_for(self._supervisor.plan, self._supervisor.balance(), stage)

    def _load(self, name: str, paces: dict[int, WorkerPace]) -> Load | None:
        roster, plan = self._supervisor.roster, self._supervisor.plan
        if roster.stages[name].is_subscriber:
            return None  # nobody waits for it
        ready = [paces[one.number] for one in roster.members(name) if _works(one, paces)]
        if not ready:
            return None
        return Load(
            name=name,
            kind=plan.stage(name).kind,
            asked=roster.stages[name].asked,
            busy=sum(pace.busy for pace in ready) / len(ready),
            waiting=sum(pace.waiting for pace in ready) / len(ready),
            rate=sum(pace.rate for pace in ready),
            feeds=tuple(link.target for link in plan.links if link.source == name),
        )


def _works(worker: Worker, paces: dict[int, WorkerPace]) -> bool:
    return worker.ready_at is not None and worker.number in paces


def _rounded(pace: WorkerPace) -> Facts:
    return {
        "busy": round(pace.busy, 3),
        "waiting": round(pace.waiting, 3),
        "idle": round(pace.idle, 3),
        "rate": round(pace.rate, 3),
        "p50": pace.p50,
        "p99": pace.p99,
    }
