"""What people ask of a store, and nobody who submits or runs jobs."""

from __future__ import annotations

from typing import List, NamedTuple, Optional

from penstock.tasks.store import Store


class Figures(NamedTuple):
    """Of the jobs of one task that are in one state."""

    group: str
    task: str
    state: str
    jobs: int
    mean: Optional[float]
    """Seconds that their last attempts took, where these are over."""


def figures(store: Store) -> List[Figures]:
    """By group, task and state. Reads all jobs."""
    rows = store.db.execute(
        "SELECT grp, task, state, COUNT(*), AVG((finished_at - started_at) / 1000.0) FROM job"
        " GROUP BY grp, task, state ORDER BY grp, task, state"
    )
    return [Figures(*row) for row in rows]


def ids(store: Store, text: str) -> List[str]:
    """The ids of the jobs that people mean by a number, an id, or the beginning of one; of many, a few."""
    if text.isdigit():
        found = store.db.execute("SELECT id FROM job WHERE seq = ?", (int(text),)).fetchall()
        if found:
            return [row[0] for row in found]
    rows = store.db.execute("SELECT id FROM job WHERE id >= ? AND id < ? LIMIT 5", (text, f"{text}g"))
    return [row[0] for row in rows]
