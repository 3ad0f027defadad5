"""Who is there: stages, the seats of their replicas, the workers in them, and who was introduced to whom.

All values are frozen; ``policy`` makes a new roster from an old one. A *seat* is the place of one replica
(``detect/0``); one worker after another may sit in it, each with a number of its own; for a moment, while one
is renewed, two of them. Nothing here acts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

import msgspec

from penstock.pipeline.plan import GROUP, SERVICE, SUBSCRIBER, LinkPlan, Plan, StagePlan, order
from penstock.runtime.policy.placement import FIRST, Host
from penstock.runtime.policy.restart import Record

NEVER = float("inf")
"""When a seat is due for which no host is there."""


class Goal(IntEnum):
    """How far a worker, or the whole run, has been told to end. It only ever grows."""

    WORK = 0
    DRAIN = 1
    """Take nothing new, finish what is there."""
    STOP = 2
    """End after the current item."""
    KILL = 3


class Stage(NamedTuple):
    """One stage: the plan's rules, and how it goes."""

    name: str
    is_source: bool
    feeders: tuple[str, ...]
    """Names of the stages that send to it."""
    asked: int
    """Replicas wanted."""
    max_restarts: int
    start_timeout: float
    timeout: float | None
    """Seconds one item may take. A source has none: it may wait for its next item as long as it likes."""
    where: str
    is_shape: bool = False
    """It puts items together, and so has to see them all."""
    was_ready: bool = False
    """At least one of its workers got so far in this run."""
    paused: bool = False
    """Its workers begin nothing more until somebody resumes it, or the run drains."""
    alone: bool = False
    """It has one worker, and never two at a time."""
    drained: bool = False
    """It was told to end because nothing can come to it any more."""
    external: bool = False
    """No worker of it is started: guests come and go."""
    places: int | None = None
    """It has GPUs for so many workers, and one must have let go of its own before another has it; ``None``:
    it has none."""
    is_subscriber: bool = False
    """It gets what others publish: it ends when all of them have, and by itself only when the run does."""
    is_group: bool = False
    """Its workers run jobs, which come from no stage: like a source it drains when the run does."""
    on: str = ""
    """The label of the hosts where its workers may be; empty: any."""
    stays: bool = False
    """Unless it says where, it is on the first host."""
    awaits: bool = False
    """It was said that no host is there for it."""
    is_service: bool = False
    """Its workers are called by all others (its ``feeders``), and by who is not of the run."""
    of: str = ""
    """The service whose calls it answers: itself, or one of which it is another version."""
    share: float = 0.0
    """The part of these calls that it is to have."""
    retired: bool = False
    """It is a version that gets no more calls, and is forgotten when its workers have ended."""


class Seat(NamedTuple):
    """The place of one replica."""

    record: Record = Record()
    due: float | None = None
    """When a worker is to be started in it; ``None``: one sits there, or none will."""
    guest: int | None = None
    """Who is to sit here as soon as nobody does: the number of his request."""
    host: str | None = None
    """The host that has brought it: nobody sits here elsewhere."""


class Worker(NamedTuple):
    """One living process."""

    number: int
    stage: str
    replica: int
    born: float
    deadline: float | None
    """When it is killed unless something comes before: ready, or gone."""
    look: float | None = None
    """When to look how long it has been at its item."""
    bound: bool = False
    """Its socket accepts receivers."""
    ready_at: float | None = None
    resumes: bool = False
    """It is a source whose successor goes on where it was."""
    told: Goal = Goal.WORK
    guest: bool = False
    """Its process was not started by us: nobody starts it again."""
    leaving: bool = False
    """It is a guest that has asked to go."""
    finished: bool = False
    """It said so; its exit is awaited."""
    killed: bool = False
    """By us; its exit is awaited."""
    condemned: str = ""
    """... and why, where that was its fault."""
    error: str = ""
    """What it failed of, in its own words."""
    traceback: str = ""
    permanent: bool = False
    """... and that starting it again would not help."""
    host: str = FIRST
    """Where it is."""

    @property
    def label(self) -> str:
        """``detect/0``: how people name it."""
        return f"{self.stage}/{self.replica}"

    @property
    def seat(self) -> tuple[str, int]:
        """Where it sits."""
        return self.stage, self.replica

    @property
    def sends(self) -> bool:
        """Whether a receiver may be introduced to it."""
        return self.bound and self.told <= Goal.DRAIN and not self.finished and not self.killed

    @property
    def takes(self) -> bool:
        """Whether it may be introduced to a sender."""
        return self.told == Goal.WORK and not self.finished and not self.killed and not self.error


class Renewal(NamedTuple):
    """A worker that is to be replaced by a new one, because somebody asked for it."""

    old: int
    """Its number."""
    stage: str
    replica: int
    drain_first: bool = False
    """It ends before its successor is started."""
    begun: bool = False

    @property
    def seat(self) -> tuple[str, int]:
        """Where it sits."""
        return self.stage, self.replica


class Pair(NamedTuple):
    """A receiver that was introduced to a sender."""

    link: int
    sender: int
    receiver: int


class Vigil(NamedTuple):
    """A run that drains waits for scripts."""

    look: float
    """When to count next what waits for them."""
    since: float
    """Since when nothing has moved."""
    motion: object = None
    """What was seen then."""
    told: frozenset[str] = frozenset()
    """The stages for which something waits; that was said."""


class Failure(NamedTuple):
    """Why the run is given up."""

    cause: str
    traceback: str = ""
    environment: bool = False
    """An interpreter is at fault, not the code."""


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a run, as far as decisions need it."""

    stages: Mapping[str, Stage]
    """Upstream before downstream."""
    links: tuple[LinkPlan, ...]
    grace: float
    """Seconds between telling a worker to end now and killing it."""
    seats: Mapping[tuple[str, int], Seat] = msgspec.field(default_factory=dict)
    workers: Mapping[int, Worker] = msgspec.field(default_factory=dict)
    """The living, by number."""
    hosts: Mapping[str, Host] = msgspec.field(default_factory=lambda: {FIRST: Host(FIRST, 1)})
    """Where workers may be: the first, and those that have joined."""
    pairs: frozenset[Pair] = frozenset()
    """Introductions between the living."""
    renewals: tuple[Renewal, ...] = ()
    """Workers to be replaced: the first is, the others wait."""
    vigil: Vigil | None = None
    """It drains, and there is an external stage in which nobody sits."""
    next_number: int = 1
    begun: bool = False
    goal: Goal = Goal.WORK
    cut_short: bool = False
    """Somebody asked for an end before all was through."""
    failure: Failure | None = None
    ended: bool = False

    def members(self, stage: str) -> Iterator[Worker]:
        """The living workers of a stage."""
        return (worker for worker in self.workers.values() if worker.stage == stage)

    def wake(self) -> float | None:
        """When time alone will change something."""
        times = [seat.due for seat in self.seats.values() if seat.due is not None and seat.due < NEVER]
        for worker in self.workers.values():
            times += [at for at in (worker.deadline, worker.look) if at is not None]
        if self.vigil is not None:
            times.append(self.vigil.look)
        return min(times, default=None)


def _feeders(plan: Plan, stage: StagePlan) -> tuple[str, ...]:
    """Whom it outlives: of a subscriber, all that may publish; of a service, all that may call, and are none
    themselves."""
    if stage.kind == SUBSCRIBER:
        return tuple(each.name for each in plan.stages if each.kind not in {SERVICE, SUBSCRIBER})
    if stage.kind == SERVICE:
        return tuple(each.name for each in plan.stages if each.kind != SERVICE)
    return tuple(link.source for link in plan.links if link.target == stage.name)


def stage_of(plan: Plan, planned: StagePlan) -> Stage:
    """A stage of which nobody is there yet."""
    is_service = planned.kind == SERVICE
    return Stage(
        name=planned.name,
        is_source=planned.kind == "source",
        feeders=_feeders(plan, planned),
        asked=planned.replicas,
        max_restarts=planned.max_restarts,
        start_timeout=planned.start_timeout,
        timeout=None if planned.kind == "source" else planned.timeout,
        where=planned.where,
        is_shape=planned.shape is not None,
        external=planned.external,
        alone=planned.ordered,
        places=planned.replicas if planned.devices else None,
        is_subscriber=planned.kind == SUBSCRIBER,
        is_group=planned.kind == GROUP,
        on=planned.hosts or "",
        stays=planned.kind in {"source", "sink", SUBSCRIBER} or planned.external or bool(planned.devices),
        is_service=is_service,
        of=planned.name if is_service else "",
        share=float(is_service),
    )


def enrol(plan: Plan, *, grace: float, cores: int = 1) -> Roster:
    """The roster of a run that has not begun. ``cores``: of this host."""
    plans = {stage.name: stage for stage in plan.stages}
    stages = {name: stage_of(plan, plans[name]) for name in order(plan)}
    return Roster(stages=stages, links=tuple(plan.links), grace=grace, hosts={FIRST: Host(FIRST, cores)})
