"""What is done with several jobs, or groups, as one act: one transaction, so one wait for the disk."""

from __future__ import annotations

from typing import List, Sequence

from penstock.tasks.schema import writing
from penstock.tasks.store import Store


def cancel(store: Store, ids: Sequence[str], why: str = "") -> List[str]:
    """Have them never begun (again); the ids of those that are cancelled now, or will be when their processes
    are gone. ``why``: their cause."""
    with writing(store.db):
        return [id for id in ids if store.cancel(id, why) in {"cancelled", "running"}]


def pause(store: Store, groups: Sequence[str], why: str = "") -> None:
    """Have nothing more of them begun. ``why``: in words for people; empty: somebody asked for it."""
    with writing(store.db):
        for group in groups:
            store.pause(group, why)


def equip(store: Store, group: str, gpus: int) -> None:
    """A worker of that group has so many GPUs."""
    with writing(store.db):
        store.add_group(group)
        store.db.execute("UPDATE grp SET gpus = max(COALESCE(gpus, 0), ?) WHERE name = ?", (gpus, group))


def resume(store: Store, groups: Sequence[str]) -> None:
    """Let them go on."""
    with writing(store.db):
        for group in groups:
            store.resume(group)
