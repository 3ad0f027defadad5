"""Jobs that need more GPUs than any worker of their group has had: they wait, and may do so for ever."""

from __future__ import annotations

from typing import Iterable, Tuple

from penstock.tasks.desk import Queue


def shortage(group: str, needed: int, queues: Iterable[Queue]) -> str:
    """A sentence, if such jobs of that group wait for who was never there; else nothing."""
    most = next((queue.gpus for queue in queues if queue.group == group), None)
    if not needed or (most is not None and most >= needed):
        return ""
    had = "there was none yet" if most is None else f"the most that one has had is {most}"
    return (
        f"it waits for a worker of {group!r} with {needed} GPUs, and {had};"
        f" say gpus= and workers= in penstock.toml, [group.{group}], where one is to run"
    )


def shortages(jobs: Iterable[Tuple[str, int]], queues: Iterable[Queue]) -> str:
    """The first such sentence. ``jobs``: their groups, and what they need."""
    known = list(queues)
    found = (shortage(group, needed, known) for group, needed in jobs)
    return next(filter(None, found), "")
