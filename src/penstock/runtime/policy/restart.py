"""When a replica that died is started again, and when no more. A decision module: no clock, no processes.

The pause doubles from 50 ms to 5 s, death by death; who has been at work for as long as the longest pause
has earned the shortest. Deaths count inside a sliding window of a minute *of service*: time in which the
replica was ready. On the wall's clock a model that loads for a minute and crashes at its first item would
never use up twenty restarts; a replica that crashes once an hour should never do so.
"""

from __future__ import annotations

from typing import NamedTuple

WINDOW = 60.0
"""Seconds of service in which more than ``max_restarts`` deaths are too many."""
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
START_TRIES = 3
"""A replica of a stage that has never been ready is given up after so many starts: what fails three times
before the first item is a mistake, and whoever made it is looking at the terminal."""


class Record(NamedTuple):
    """How often the replica in one seat has died."""

    served: float = 0.0
    """Seconds in which a worker in this seat was ready."""
    deaths: tuple[float, ...] = ()
    """What ``served`` was at each death inside the window."""
    total: int = 0
    streak: int = 0
    """Deaths in a row after little work."""

    def died(self, lived: float) -> Record:
        """The record after the death of a worker that had been ready for ``lived`` seconds (0: never)."""
        served = self.served + lived
        recent = tuple(at for at in self.deaths if served - at < WINDOW)
        streak = 1 if lived >= LONGEST_PAUSE else self.streak + 1
        return Record(served, (*recent, served), self.total + 1, streak)

    def pause(self) -> float:
        """Seconds before the next start."""
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.streak - 1, 16))

    def spent(self, max_restarts: int) -> bool:
        """Whether it has died too often to be started once more."""
        return len(self.deaths) > max_restarts
