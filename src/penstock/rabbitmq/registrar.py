"""Runs in the hub, in a thread of its own: what came over the broker, written into the store.

What has come together is one transaction, in this order: submissions, what became of attempts, what the
broker gave up, claims, questions. So a claim finds the job that was submitted with it, and the end of the
attempt before it. Each of them may come twice, or in another order: nothing here counts how often it is told
something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from penstock.errors import UserError
from penstock.rabbitmq import letters, talk
from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.talk import End
from penstock.rabbitmq.topology import ALL, AT_ONCE, CONTROL, JOBS, MOST_BODY, retry_key
from penstock.rabbitmq.turn import DISK, ORDERS, PARKED, Contested, Parcel, Parked, Post, Turn
from penstock.tasks import timetable
from penstock.tasks.home import Home
from penstock.tasks.keeping import DAY, USUAL, Keeping
from penstock.tasks.retention import HOUR, Broom
from penstock.tasks.schema import writing
from penstock.tasks.store import Now, Store
from penstock.tasks.transit import Outgoing, Transit


class Written(NamedTuple):
    """What is to be done now that it is on disk."""

    posts: list[Post]
    contested: list[Contested]
    groups: list[str]
    """Those there are."""
    due: int
    """When there is something to do, though nothing has come (ms since 1970)."""
    is_steered: bool
    """Whether somebody has changed what becomes of jobs."""
    troubles: list[str]
    """For people."""
    awaits: bool
    """Whether somebody wants to begin a job that has not come yet."""


class Memory:
    """What is known beside the store. A turn changes a copy, which counts once all of it is on disk."""

    def __init__(self) -> None:
        self.parked: dict[str, list[Parked]] = {}
        """By the job."""
        self.sending: set[str] = set()
        self.paused: list[str] | None = None

    def copy(self) -> Memory:
        """One that may be changed."""
        made = Memory()
        made.parked = {id: list(waiting) for id, waiting in self.parked.items()}
        made.sending, made.paused = set(self.sending), self.paused
        return made


class Registrar:
    """The store of a hub. Belongs to the thread that made it."""

    def __init__(self, store: Store, *, now: Now, keeping: Keeping = USUAL, recovers: bool = False) -> None:
        """``now``: milliseconds since 1970. ``keeping``: what of jobs that are over. ``recovers``: the store
        was lost, or is an old copy: have from the broker and from supervisors what they know."""
        self.store = store
        self.transit = Transit(store, now=now)
        self._now = now
        self._recovers = recovers
        if recovers:
            self.transit.republish()
        self._memory = Memory()
        self._unwritable: dict[str, str] = {}
        self._sweep_at = now()
        self._broom = Broom(store, Home(store.path), keeping, now(), first=HOUR)

    def serve(
        self, parcels: Sequence[Parcel], lost: Sequence[Contested] = (), sent: Iterable[str] = ()
    ) -> Written:
        """Write all of it down. ``lost``: who ran these is gone; ``sent``: these the broker has.

        Raises:
            sqlite3.Error, OSError: the disk is full, or broken; nothing has changed.
        """
        self._sweep()
        try:
            return self._serve(parcels, lost, sent, apart=False)
        except DISK:
            raise
        except Exception:  # noqa: BLE001 - nothing that comes over a wire may keep the rest from being written
            return self._serve(parcels, lost, sent, apart=True)

    def _sweep(self) -> None:
        """Jobs that are to be kept no longer; once a day what stands for such jobs, and words of those that
        never came."""
        now = self._now()
        self._broom.pass_by(now)
        if now >= self._sweep_at:
            self.transit.sweep(before=now - USUAL.age)
            self._sweep_at = now + DAY

    def _serve(
        self, parcels: Sequence[Parcel], lost: Sequence[Contested], sent: Iterable[str], *, apart: bool
    ) -> Written:
        memory = self._memory.copy()
        turn = Turn(self.transit, self._now(), recovers=self._recovers)
        with writing(self.store.db):
            turn.take(parcels, lost, apart=apart)
            turn.unpark(self._unparked(memory, turn.touched))
            for each in turn.parked:
                memory.parked.setdefault(each.ask.id, []).append(each)
            self.transit.published(sent)
            self._give_up(memory)
            memory.sending.difference_update(sent)
            timetable.plan(self.store, list(self.store.groups()), turn.now, moves=False)
            written = self._written(memory, turn, is_steered=turn.steered or turn.greeted)
        self._memory = memory
        self._unwritable.clear()
        return written

    def _written(self, memory: Memory, turn: Turn, *, is_steered: bool) -> Written:
        troubles: list[str] = []
        posts = [*turn.posts, *self._outgoing(memory, troubles)]
        orders = turn.orders
        if is_steered:
            for id, fence, owner in self.transit.to_end():
                orders.setdefault(owner, []).append(End(id, fence))
            paused = [group for group, why in self.store.groups().items() if why]
            if turn.greeted or paused != memory.paused:
                memory.paused = paused
                orders[ALL] = [talk.Standstill(paused)]
        posts += [
            Post(CONTROL, key, Message(type=ORDERS, body=talk.encode(talk.Orders(words))))
            for key, words in orders.items()
            if key
        ]
        groups, due = list(self.store.groups()), self._due(memory)
        return Written(posts, turn.contested, groups, due, is_steered, troubles, bool(memory.parked))

    def _outgoing(self, memory: Memory, troubles: list[str]) -> list[Post]:
        """What is due. What no broker takes is dead: the results that a job needs may be too large for it."""
        posts = []
        for each in self.transit.outgoing(most=MOST_BODY, trouble=troubles.append):
            if each.job.id in memory.sending:
                continue
            try:
                posts.append(Post(JOBS, retry_key(AT_ONCE, each.job.group), _sealed(each), each.job.id))
            except UserError as error:
                self.transit.give_up(each.job.id, each.job.group, each.fence, str(error))
        memory.sending.update(post.job for post in posts)
        return posts

    def _due(self, memory: Memory) -> int:
        dues = [] if memory.sending else [self.transit.next_due()]
        dues.append(self._broom.due)
        dues += [waiting[0].since + PARKED for waiting in memory.parked.values()]
        return min(due for due in dues if due is not None)

    def unsent(self, ids: Iterable[str]) -> None:
        """These could not be published: they are to be tried again."""
        self._memory.sending.difference_update(ids)

    def unwritable(self, whys: Mapping[str, str]) -> None:
        """These cannot be published, for that reason: they are dead with the next that is written."""
        self._unwritable.update(whys)

    def _give_up(self, memory: Memory) -> None:
        for id, why in self._unwritable.items():
            memory.sending.discard(id)
            place = self.transit.place(id)
            if place is not None:
                self.transit.give_up(id, place.group, place.fence, why)

    def _unparked(self, memory: Memory, touched: set[str]) -> list[Parked]:
        """Those of which there is news, and those that have waited long enough: whoever claims has room for
        something else meanwhile."""
        now = self._now()
        waits = range(now - PARKED + 1, now + 1)  # or the clock has jumped back since then
        ready = [id for id, first in memory.parked.items() if id in touched or first[0].since not in waits]
        return [each for id in ready for each in memory.parked.pop(id)]


def _sealed(each: Outgoing) -> Message:
    return letters.sealed(
        Letter(
            each.job,
            each.submitted_at,
            after=each.fence,
            failures=each.failures,
            preemptions=each.preemptions,
            resume_uri=each.resume_uri,
            resume_step=each.resume_step,
        )
    )
