"""What people ask of a store, and nobody who submits or runs jobs."""

from __future__ import annotations

import json
from typing import Dict, List, Sequence

from penstock.tasks import timetable
from penstock.tasks.desk import Figures, JobState, Queue, Timing
from penstock.tasks.job import LIVE
from penstock.tasks.store import Store
from penstock.tasks.timetable import Entry

ALIASES = "SELECT id, job FROM alias WHERE job <> '' AND id IN (SELECT value FROM json_each(?))"
STATES = "SELECT id, state, progress FROM job WHERE id IN (SELECT value FROM json_each(?))"


def figures(store: Store) -> List[Figures]:
    """By group, task and state. Reads all jobs."""
    rows = store.db.execute(
        "SELECT grp, task, state, COUNT(*), AVG((finished_at - started_at) / 1000.0) FROM job"
        " GROUP BY grp, task, state ORDER BY grp, task, state"
    )
    return [Figures(*row) for row in rows]


def find(store: Store, text: str) -> List[str]:
    """The ids of the jobs that people mean by a number, an id, or the beginning of one; of many, a few."""
    if text.isdigit():
        found = store.db.execute("SELECT id FROM job WHERE seq = ?", (int(text),)).fetchall()
        if found:
            return [row[0] for row in found]
    rows = store.db.execute("SELECT id FROM job WHERE id >= ? AND id < ? LIMIT 5", (text, f"{text}g"))
    return [row[0] for row in rows]


def aliases(store: Store, ids: Sequence[str]) -> Dict[str, str]:
    """Of those that are no jobs' ids: the job that another with the same unique key was, when such a one was
    submitted. Of the store of a hub alone: elsewhere who submits is given the id of that job."""
    return dict(store.db.execute(ALIASES, (json.dumps(list(ids)),)).fetchall())


def states(store: Store, ids: Sequence[str]) -> List[JobState]:
    """How these stand, in any order; what is not there is left out."""
    return [JobState(*row) for row in store.db.execute(STATES, (json.dumps(list(ids)),))]


def queues(store: Store) -> List[Queue]:
    """What waits for each group there is: those that somebody has declared, and those that have jobs."""
    depths, paused = store.depths(), store.groups()
    gpus = dict(store.db.execute("SELECT name, gpus FROM grp"))
    return [
        Queue(group, paused.get(group, ""), depths.get(group, {}), store.oldest(group), gpus.get(group))
        for group in sorted({*paused, *depths})
    ]


def timings(store: Store) -> List[Timing]:
    """The tasks that are called by themselves, by group and name."""
    paused = store.groups()
    return [_timing(store, entry, paused.get(entry.group, "")) for entry in timetable.entries(store)]


def _timing(store: Store, entry: Entry, paused: str) -> Timing:
    job, last = store.job(entry.job), store.job(entry.last)
    schedule = entry.scheduled.schedule
    if job is None or job.state not in LIVE:
        return Timing(entry.group, entry.task, schedule, paused, None, None, job or last)
    return Timing(entry.group, entry.task, schedule, paused, entry.tick, job, last)
