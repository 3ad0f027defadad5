"""What there is on the broker, by name. A decision module: it declares nothing.

    ps.jobs    GROUP             ->  ps.q.GROUP     a submission: the queue of its group,
                                 ->  ps.submitted   ... and the hub, in the same publish
    ps.jobs    RUNG.GROUP        ->  ps.q.GROUP     another attempt, back from its pause (r0: without one)
    ps.jobs    later.GROUP       ->  ps.submitted   a submission for later: the hub alone, until it is due
    ps.retry   RUNG.GROUP        ->  ps.retry.RUNG  a pause; when it is over, ps.jobs, with the same key
    ps.dlx     GROUP, *.GROUP    ->  ps.dead.GROUP  what the broker has given up, what nobody could read
    ps.events  GROUP.KIND        ->  ps.events.store, for what must not be lost
               GROUP.claim       ->  ps.claims
    ps.ctl     asks              ->  ps.asks        what clients want of the hub
               worker.GROUP.ID, reply.ID, news, all  ->  queues of those who live, each its own

No key is bound with a wildcard to ``ps.submitted``, and nothing catches what is left over: a job of a group
that is not declared has no queue, and the publisher is told. (An alternate exchange would take it, and
confirm it.)

All queues are quorum queues: one kind, that a cluster keeps when a node dies. Arguments are fixed for the
life of a queue and mean different things to different versions, so there are but two; what may change is in
``policies``.
"""

from __future__ import annotations

import re
from typing import Iterable, NamedTuple

from penstock.errors import UserError

JOBS, RETRY, DEAD_LETTERS, EVENTS, CONTROL = "ps.jobs", "ps.retry", "ps.dlx", "ps.events", "ps.ctl"
EXCHANGES = (JOBS, RETRY, DEAD_LETTERS, EVENTS, CONTROL)
"""All of them of the kind ``topic``, and durable."""

SUBMITTED, STORE, CLAIMS, ASKS = "ps.submitted", "ps.events.store", "ps.claims", "ps.asks"
"""The hub's. One consumer of each is active at a time, the others stand by."""

KEPT = ("started", "checkpoint", "done", "failed", "cancelled", "returned", "dead", "settled")
"""Kinds of events that the store must have. ``settled`` carries several outcomes at once."""
CLAIM = "claim"
LIVE = ("progress", "log")
"""Kinds that may be lost."""

ASK, NEWS, ALL = "asks", "news", "all"
"""Keys of ``ps.ctl``: a request to the hub, its doorbell, and what concerns every worker."""
LATER = "later"
AT_ONCE = "r0"

GROUP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
MOST_BODY = 1_000_000
"""Bytes of a message. Quorum queues keep bodies in a log that hates large ones, and 4.x refuses 16 MiB."""


class Rung(NamedTuple):
    """A pause. Each has one queue and one time to live: with a time of its own, a message would wait for all
    those before it."""

    name: str
    pause: int
    """Milliseconds."""

    @property
    def queue(self) -> str:
        """Where it is spent."""
        return f"{RETRY}.{self.name}"


RUNGS = (
    Rung("r1s", 1_000),
    Rung("r10s", 10_000),
    Rung("r1m", 60_000),
    Rung("r10m", 600_000),
    Rung("r1h", 3_600_000),
)
"""From the shortest to the longest."""


class Queue(NamedTuple):
    """One that lasts, and its arguments."""

    name: str
    single: bool = False
    """Whether one consumer is active at a time."""

    @property
    def arguments(self) -> dict[str, object]:
        """As the broker wants them."""
        single: dict[str, object] = {"x-single-active-consumer": True} if self.single else {}
        return {"x-queue-type": "quorum", **single}


class Binding(NamedTuple):
    """Which messages come to a queue."""

    exchange: str
    key: str
    queue: str


class Topology(NamedTuple):
    """What is declared."""

    groups: tuple[str, ...]
    exchanges: tuple[str, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


def topology(groups: Iterable[str]) -> Topology:
    """What a broker must have for these groups.

    Raises:
        UserError: a name of a group cannot be part of a key.
    """
    names = tuple(sorted({check_group(group) for group in groups}))
    found = [_of_hub(), _of_rungs(), *(_of_group(name) for name in names)]
    queues = tuple(queue for each, _ in found for queue in each)
    bindings = tuple(binding for _, each in found for binding in each)
    return Topology(names, EXCHANGES, queues, bindings)


def _of_hub() -> tuple[list[Queue], list[Binding]]:
    queues = [Queue(name, single=True) for name in (SUBMITTED, STORE, CLAIMS, ASKS)]
    kept = [Binding(EVENTS, f"*.{kind}", STORE) for kind in KEPT]
    return queues, [*kept, Binding(EVENTS, f"*.{CLAIM}", CLAIMS), Binding(CONTROL, ASK, ASKS)]


def _of_rungs() -> tuple[list[Queue], list[Binding]]:
    return [Queue(rung.queue) for rung in RUNGS], [
        Binding(RETRY, f"{rung.name}.*", rung.queue) for rung in RUNGS
    ]


def _of_group(group: str) -> tuple[list[Queue], list[Binding]]:
    work, dead = work_queue(group), dead_queue(group)
    # Each key by itself and not `*.GROUP`: what is for later must not come to the workers.
    back = [Binding(JOBS, retry_key(name, group), work) for name in (AT_ONCE, *(rung.name for rung in RUNGS))]
    submitted = [Binding(JOBS, key, SUBMITTED) for key in (group, later_key(group))]
    died = [Binding(DEAD_LETTERS, key, dead) for key in (group, f"*.{group}")]
    return [Queue(work), Queue(dead)], [Binding(JOBS, group, work), *back, *submitted, *died]


def check_group(group: str) -> str:
    """A group's name, as part of keys and of queues' names.

    Raises:
        UserError: it could not be that.
    """
    if GROUP.fullmatch(group):
        return group
    raise UserError(
        f"group {group!r}: on RabbitMQ a group's name is made of up to 64 of a-z, A-Z, 0-9, '_' and '-', "
        "without dots; rename the group"
    )


def work_queue(group: str) -> str:
    """Where a group's jobs wait."""
    return f"ps.q.{group}"


def dead_queue(group: str) -> str:
    """Where lies what the broker has given up of a group's."""
    return f"ps.dead.{group}"


def retry_key(rung: str, group: str) -> str:
    """The key of another attempt, in ``ps.retry`` and on its way back."""
    return f"{rung}.{group}"


def later_key(group: str) -> str:
    """The key of a submission that is not due yet."""
    return f"{LATER}.{group}"


def event_key(group: str, kind: str) -> str:
    """The key of an event."""
    return f"{group}.{kind}"


def worker_key(group: str, id: str) -> str:
    """The key of what concerns one supervisor."""
    return f"worker.{group}.{id}"


def reply_key(id: str) -> str:
    """The key of answers to one client."""
    return f"reply.{id}"


def worker_inbox(group: str, id: str) -> str:
    """The exclusive queue of one supervisor. A supervisor of several groups takes any of them here."""
    return f"ps.ctl.{group}.{id}"


def reply_inbox(id: str) -> str:
    """The exclusive queue of one client."""
    return f"ps.reply.{id}"


def hub_inbox(id: str) -> str:
    """The exclusive queue of one hub, for what may be lost."""
    return f"ps.hub.{id}"


def live_inbox(id: str) -> str:
    """The exclusive queue of one who looks on."""
    return f"ps.live.{id}"


def rung_for(pause: float) -> Rung | None:
    """Where a pause of so many milliseconds is spent first; nothing: it is over, or hardly anything.

    The longest rung that is not longer, so that a pause takes few hops and its rest shrinks with each. What
    remains below the shortest is waited for there: late by less than that.
    """
    fitting = [rung for rung in RUNGS if rung.pause <= pause]
    return fitting[-1] if fitting else RUNGS[0] if pause > 0 else None
