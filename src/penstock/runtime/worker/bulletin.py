"""In the worker: how far the items in hand say they are, and when the supervisor hears of it.

What is said is noted in place, and whoever serves the sockets sends what has changed, five times a second at
most: so a loop that says it a million times costs little, and what was said last is sent in any case. An item
that is through is left out of what is sent next. One never told of was quicker than anybody reads.

Knows no clock: ``now`` is an argument.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional

from penstock.runtime.control import Note

APART = 0.2
"""Seconds between two tellings."""


class _Said(NamedTuple):
    """What was said last with one Context, and of which item."""

    inbound: Any
    place: int
    part: float
    numbers: Dict[str, float]


class Bulletin:
    """What one worker has to tell."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """``wake`` has whoever waits for the sockets look around; from any thread."""
        self.is_used = False
        """Whether there is anything to look at."""
        self._wake = wake
        self._said: Dict[Any, _Said] = {}
        """By Context."""
        self._told: List[Note] = []
        self._changed = False
        self._last = float("-inf")

    def say(self, context: Any, part: float, numbers: Dict[str, float]) -> None:
        """The item that ``context`` names has come so far. From any thread."""
        self._said[context] = _Said(context.inbound, context.index, part, numbers)
        if not self._changed:
            self._changed = self.is_used = True
            self._wake()

    def next_due(self) -> Optional[float]:
        """When there is something to tell; None: nothing has changed."""
        return self._last + APART if self._changed else None

    def tell(self, now: float) -> Optional[List[Note]]:
        """All that is in hand and has said something, if that has changed and it is time to say so."""
        if now < self._last + APART:
            self._changed = True
            return None
        self._changed = False  # before anything is read: what is said meanwhile is told the next time
        found = self._read()
        if found == self._told:
            self.is_used = self._changed or bool(self._said)
            return None
        self._told, self._last = found, now
        return found

    def clear(self) -> None:
        """What has been said so far is about nothing that still goes on."""
        self._said.clear()
        self._changed = self.is_used

    def _read(self) -> List[Note]:
        told = {note.item: note for note in self._told}
        found = []
        for context, said in list(self._said.items()):
            item = _item(context, said)
            note = Note(item, said.part, said.numbers)
            if context.inbound is said.inbound and context.index == said.place:
                found.append(note)
                continue
            if self._said.get(context) is said:
                del self._said[context]
            if item in told and note != told[item]:
                found.append(note)  # its last word; without it the next time
                self._changed = True
        return found


def _item(context: Any, said: _Said) -> str:
    """The id of what it was about; the replica's name where that was no item."""
    if said.inbound is None:
        return str(context.id)
    return "{}:{}".format(*said.inbound.id_at(said.place))
