"""Runs in the supervisor: the events of a run, for those who ask for the next ones again and again."""

from __future__ import annotations

from collections import deque

from penstock.runtime.supervisor.journal import Journal, Record

KEPT = 5000
"""Events that are kept in memory, from when somebody has asked."""
MOST = 500
"""Events in one answer."""


class Sequel:
    """The last events of one run."""

    def __init__(self, journal: Journal) -> None:
        """What the journal has, and all that follows."""
        self._records: deque[Record] = deque(maxlen=KEPT)
        self._records.extend(journal.follow(self._records.append))

    def after(self, seen: int) -> list[Record]:
        """From event number ``seen`` on, as many as fit into one answer."""
        return [record for record in self._records if record["n"] >= seen][:MOST]
