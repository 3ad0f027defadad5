"""Runs in the supervisor, in its clerk's thread: what is wanted of the store of jobs, and the doing of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Union

from penstock.runtime import sweep
from penstock.tasks import alive, outputs, steering, timetable, wake
from penstock.tasks.alive import Orphan, Presence
from penstock.tasks.home import Home
from penstock.tasks.job import Claim, wall
from penstock.tasks.keeping import USUAL, Keeping
from penstock.tasks.retention import Broom
from penstock.tasks.schedule import Scheduled
from penstock.tasks.schema import writing
from penstock.tasks.settle import Closing, Done, Failed
from penstock.tasks.store import Store, Word

TAIL = 64 * 1024
"""Bytes of a log that are kept in the store."""


class Say(NamedTuple):
    """How far a job is. ``then`` gets the ids of those that are to be ended."""

    word: Word
    then: Callable[[list[str]], None]


class Close(NamedTuple):
    """An attempt has come to its end. ``then`` gets the state of the job now; ``None``: it was given up
    before."""

    closing: Closing
    then: Callable[[str | None], None]


class Pause(NamedTuple):
    """Nothing more of this group is to be begun, by anybody."""

    group: str
    why: str
    then: Callable[[None], None]


class Wish(NamedTuple):
    """Jobs to run. ``then`` gets them, even if there are none."""

    group: str
    limit: int
    gpus: int
    then: Callable[[list[Claim]], None]


class Glance(NamedTuple):
    """How things stand."""

    ending: list[str]
    """Jobs of ours that somebody wants ended."""
    due: int | None
    """When the next job is due (ms since 1970)."""
    neighbours: list[int]
    """The process ids of other supervisors."""
    orphans: list[Orphan]
    """Jobs of supervisors that have died, which were just given back."""


class Look(NamedTuple):
    """Look round."""

    then: Callable[[Glance], None]


Request = Union[Say, Close, Pause, Wish, Look]
Answer = tuple[Callable[[Any], None], Any]

RANKS = {Say: 0, Close: 1, Pause: 2, Wish: 3}
"""What jobs have said comes before how they ended; the end of old ones before the beginning of new ones."""


class Book:
    """The store, opened by one supervisor. Belongs to the thread that made it."""

    def __init__(self, home: Home, presence: Presence, *, run_base: str, keeping: Keeping = USUAL) -> None:
        """``run_base``: where run directories are made. ``keeping``: what of jobs that are over."""
        self._home = home
        self._presence = presence
        self._run_base = run_base
        self._store = Store(home.store)
        self._broom = Broom(self._store, home, keeping, wall())
        self._groups: Sequence[str] = ()

    def open(
        self,
        groups: list[str],
        workers: int,
        schedules: Sequence[Scheduled] | None = None,
        gpus: Mapping[str, int] = {},
    ) -> None:
        """Have others know that we are there: neighbours watch over each other.

        ``schedules``: those of these groups; ``None``: we know nothing of their code. ``gpus``: how many a
        worker of each group has.
        """
        self._presence.announce(self._store, groups, workers)
        for group, count in gpus.items():
            steering.equip(self._store, group, count)
        self._groups = groups
        if schedules is not None:
            timetable.declare(self._store, groups, schedules, wall())
        wake.ring(self._home.bells, wake.WORK)

    def close(self) -> None:
        """Leave."""
        self._presence.leave(self._store)
        self._store.close()

    def serve(self, batch: list[Request]) -> list[Answer]:
        """All of it in one transaction, but for looking round; the answers, for whom they are.

        Raises:
            sqlite3.Error, OSError: the disk is full, or broken; nothing has changed.
        """
        writes = [each for each in batch if not isinstance(each, Look)]
        writes.sort(key=lambda each: RANKS[type(each)])
        with writing(self._store.db):
            done = [(each, self._write(each)) for each in writes]
            has_planned = any(isinstance(each, (Close, Look)) for each in batch) and self._plan()
        self._ring(done, has_new=has_planned or self._took_released())
        looks = [(each.then, self._look()) for each in batch if isinstance(each, Look)]
        return [*((each.then, answer) for each, answer in done), *looks]

    def _write(self, request: Say | Close | Pause | Wish) -> Any:
        store = self._store
        match request:
            case Say(word):
                return store.note([word])
            case Close(closing):
                return self._close(closing)
            case Pause(group, why):
                return store.pause(group, why)
            case Wish(group, limit, gpus):
                return store.claim(self._presence.id, group, limit, gpus=gpus)

    def _close(self, closing: Closing) -> str | None:
        draft = self._home.draft(closing.id, closing.fence) if closing.wrote else ""
        if isinstance(closing.outcome, Done) and os.path.isdir(draft):
            closing = self._published(closing, draft)
        (state,) = self._store.close_attempts([closing._replace(tail=tail(closing.log))])
        outputs.discard(draft)
        return state

    def _published(self, closing: Closing, draft: str) -> Closing:
        """With what the attempt has written in its place; if that cannot be, the attempt has failed."""
        if not self._store.is_running(closing.id, closing.fence):
            return closing
        try:
            outputs.publish(draft, self._home.out(closing.id))
        except OSError as error:
            return closing._replace(
                outcome=Failed("error", f"what it has written cannot be published: {error}")
            )
        return closing

    def _took_released(self) -> bool:
        """Whether jobs have got what they waited for, since last asked."""
        needs = self._store.needs
        found, needs.has_released = needs.has_released, False
        return found

    def _ring(self, done: Sequence[tuple[Request, Any]], *, has_new: bool) -> None:
        if any(isinstance(each, (Say, Close)) for each, _ in done):
            wake.ring(self._home.bells, wake.NEWS)
        if has_new or any(
            isinstance(each, Close) and state in {"ready", "scheduled"} for each, state in done
        ):
            wake.ring(self._home.bells, wake.WORK)

    def _plan(self) -> bool:
        """Have the next jobs of schedules on disk; whether there are new ones."""
        return timetable.plan(self._store, self._groups, wall())

    def _look(self) -> Glance:
        store = self._store
        orphans: list[Orphan] = []
        if dead := alive.dead(store):
            sweep.sweep(self._run_base)  # what they had started must be gone before anybody else starts it
            orphans = alive.bury(store, dead, self._orphaned)
            for orphan in orphans:
                outputs.discard(self._home.draft(orphan.id, orphan.fence))
            wake.ring(self._home.bells, wake.NEWS, wake.WORK)
        self._broom.pass_by(wall())
        return Glance(
            store.ending(self._presence.id),
            store.next_due(),
            alive.neighbours(store, self._presence),
            orphans,
        )

    def _orphaned(self, orphan: Orphan) -> Closing:
        log = self._home.log(orphan.id, orphan.fence)
        return Closing(orphan.id, orphan.fence, Failed("crash", alive.CAUSE), log=log, tail=tail(log))


def tail(path: str) -> str:
    """The end of a log; empty: there is none."""
    if not path:
        return ""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
