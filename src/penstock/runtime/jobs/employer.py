"""Whom a keeper works for: a supervisor, and the groups whose jobs it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from penstock.tasks.home import Home
from penstock.tasks.keeping import USUAL, Keeping
from penstock.tasks.schedule import Scheduled


class Employer(NamedTuple):
    """Whom a keeper works for."""

    home: Home
    groups: Mapping[str, int]
    """With so many workers in each."""
    run_base: str
    """Where run directories are made."""
    on_change: Callable[[], None]
    """Called when it is time to look round."""
    on_trouble: Callable[[str], None]
    """Gets a sentence when nothing can be written, or nobody is reached; once until it can be."""
    schedules: Sequence[Scheduled] | None = None
    """Of these groups, if their code is known."""
    keeping: Keeping = USUAL
    """How long jobs that are over are kept."""
    gpus: Mapping[str, int] = {}
    """How many a worker of each group has; 0 where nothing is said."""
    unfenced: Sequence[str] = ()
    """Groups whose jobs are begun, too, while nobody keeps the store."""
