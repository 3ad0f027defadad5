"""The schedules of tasks, in the store: which there are, and the next job of each.

Who has the store plans: every supervisor that runs a group, for that group, or the hub for all. What two of
them decide at once is decided in two transactions, one after the other, and the second finds it done.
"""

from __future__ import annotations

import json
from typing import List, NamedTuple, Optional, Sequence

import msgspec

from penstock.tasks.job import LIVE, State
from penstock.tasks.schedule import Scheduled
from penstock.tasks.schema import writing
from penstock.tasks.store import Store

COLUMNS = """
SELECT schedule.grp, schedule.task, said, since, looked_at, tick, schedule.job, last,
  state, fence, run_at, finished_at
FROM schedule LEFT JOIN job ON job.id = schedule.job"""
ALL = f"{COLUMNS} ORDER BY schedule.grp, schedule.task"
OF_GROUPS = f"{COLUMNS} WHERE schedule.grp IN (SELECT value FROM json_each(?))"  # noqa: S608  our own words

SAY = """
INSERT INTO schedule(grp, task, said, since, looked_at) VALUES (:group, :task, :said, :now, :now)
ON CONFLICT DO UPDATE SET said = :said, since = :now, looked_at = :now, tick = NULL"""
FORGET = "DELETE FROM schedule WHERE grp = ? AND task = ?"
WITHDRAW = "DELETE FROM job WHERE id = ? AND state = 'scheduled' AND fence = 0"
WITHDRAW_EARLY = f"{WITHDRAW} AND run_at > ?"
PLAN = """
UPDATE schedule
SET since = :since, looked_at = :now, tick = :tick, last = CASE WHEN :waited THEN last ELSE job END,
  job = :job
WHERE grp = :group AND task = :task"""
KEEP = "UPDATE schedule SET looked_at = :now WHERE grp = :group AND task = :task"

_pack = msgspec.msgpack.Encoder().encode
_said = msgspec.msgpack.Decoder(Scheduled)


class Entry(NamedTuple):
    """One schedule, and the job it has now."""

    group: str
    task: str
    said: bytes
    """A ``Scheduled``."""
    since: int
    """Ticks up to then were over when its job was chosen."""
    looked_at: int
    """When that was."""
    tick: Optional[int]
    """That of the job."""
    job: str
    last: str
    """The job before it; either is empty where there is none."""
    state: Optional[State]
    """Of the job; ``None``: it is not there (any more)."""
    fence: Optional[int]
    run_at: Optional[int]
    finished_at: Optional[int]

    @property
    def scheduled(self) -> Scheduled:
        """What the task says."""
        return _said.decode(self.said)

    @property
    def waits(self) -> bool:
        """Its job waits for its time, and was never begun."""
        return self.state == "scheduled" and self.fence == 0

    def is_open(self, now: int, *, moves: bool) -> bool:
        """Whether another job may be due: it has none, or its time has come and gone, or the clock has gone
        back since that was chosen."""
        if self.waits:
            return now < self.looked_at if (self.run_at or 0) > now else moves
        return self.state not in LIVE

    @property
    def over(self) -> int:
        """Ticks up to then are over."""
        return self.since if self.waits else max(self.tick or self.since, self.finished_at or 0)


def declare(store: Store, groups: Sequence[str], found: Sequence[Scheduled], now: int) -> None:
    """These groups have these schedules and no others. What one was to do next is forgotten where it says
    something else now."""
    said = {(each.group, each.task): each for each in found}
    with writing(store.db):
        known = {(entry.group, entry.task): entry for entry in _of(store, groups)}
        for key, entry in known.items():
            if key not in said or _pack(said[key]) != entry.said:
                store.db.execute(WITHDRAW_EARLY, (entry.job, now))
            if key not in said:
                store.db.execute(FORGET, key)
        for key, each in said.items():
            if key not in known or _pack(each) != known[key].said:
                values = {"group": each.group, "task": each.task, "said": _pack(each), "now": now}
                store.db.execute(SAY, values)


def plan(store: Store, groups: Sequence[str], now: int, *, moves: bool = True) -> bool:
    """Have the next tick of each schedule of these groups on disk as a job; whether there is a new one.

    ``moves``: one that still waits though its time has come gives way to a later tick, if there was one;
    not where it may be on its way to somebody.
    """
    if not any(entry.is_open(now, moves=moves) for entry in _of(store, groups)):
        return False
    with writing(store.db):
        found = [entry for entry in _of(store, groups) if entry.is_open(now, moves=moves)]
        planned = [_plan(store, entry, now) for entry in found]
    return any(planned)


def entries(store: Store) -> List[Entry]:
    """All schedules there are."""
    return [Entry(*row) for row in store.db.execute(ALL)]


def _of(store: Store, groups: Sequence[str]) -> List[Entry]:
    return [Entry(*row) for row in store.db.execute(OF_GROUPS, (json.dumps(list(groups)),))]


def _plan(store: Store, entry: Entry, now: int) -> bool:
    from penstock.tasks import ticks  # who only looks counts none

    scheduled, key = entry.scheduled, {"group": entry.group, "task": entry.task, "now": now}

    def is_taken(tick: int) -> bool:
        return tick == entry.tick or store.job(scheduled.job(tick).id) is not None

    standing = ticks.Standing(entry.over, entry.tick if entry.waits else None)
    tick = ticks.choose(scheduled.schedule, standing, now, is_taken)
    if tick is None:
        store.db.execute(KEEP, key)
        return False
    if entry.waits:
        store.db.execute(WITHDRAW, (entry.job,))
    (job,) = store.submit([scheduled.job(tick)])
    since = min(entry.over, now)
    store.db.execute(PLAN, {**key, "since": since, "tick": tick, "job": job, "waited": entry.waits})
    return True
