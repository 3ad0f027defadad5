"""How far the items of a worker say they are, as its supervisor keeps it. A decision module.

A worker tells it five times a second. Whoever looks is shown the last of it; the run's events have it once a
second, and the last word of each item: they are kept, and are to hold more than one hour of one stage.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.runtime.control import Note

APART = 1.0
"""Seconds between two events about one worker, but for the last word of an item."""


class Headway:
    """That of one worker."""

    def __init__(self) -> None:
        self.notes: Sequence[Note] = ()
        """What it has said last, of all items in hand."""
        self._reported: dict[str, Note] = {}
        self._last = float("-inf")

    def hear(self, notes: Sequence[Note], now: float) -> list[Note]:
        """It says this now. What of it is to be among the events."""
        items = {note.item for note in notes}
        gone = [note for note in self.notes if note.item not in items]
        news = [note for note in gone if self._reported.pop(note.item, None) != note]
        self.notes = notes
        if now >= self._last + APART:
            fresh = [note for note in notes if self._reported.get(note.item) != note]
            self._reported.update({note.item: note for note in fresh})
            self._last = now
            news += fresh
        return news
