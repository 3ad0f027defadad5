"""How much of what is over is kept, as people have said it."""

from __future__ import annotations

from typing import NamedTuple

DAY = 86_400_000
"""Milliseconds."""


class Keeping(NamedTuple):
    """What is kept of jobs that are done or cancelled."""

    age: int = 30 * DAY
    """For so many milliseconds after their end."""
    jobs: int = 100_000
    """So many, those that have ended last."""


USUAL = Keeping()
"""Where nothing else is said."""
