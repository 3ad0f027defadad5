"""Ids that will never arrive, on their way down a link: for whoever gives items in order. A decision module.

A gap in what arrives means *still coming* or *never coming*, and whoever makes the gap knows which: a stage
that answered None, a route that chose another way, a link that dropped, a letter on disk. Such an id is
*passed*. It belongs to its parent like any child, travels by the same link, is settled like an item and sent
again like one when its receiver dies; but it has no payload, wants no room and is no item in any ledger.

Neighbours are joined: a filter that lets nothing through says one word for a whole batch. Batches of words
are numbered -1, -2, ...: so nobody takes them for batches of items.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Dict, List, NamedTuple, Tuple

MOST = 4096
"""Words in one message."""


class Word(NamedTuple):
    """The ids ``origin:first`` ... are passed, all made from ``parent``."""

    parent: Any
    origin: str
    first: int
    items: int
    """How many; 0: all from there on, since nothing more is made from ``origin``."""
    weight: int = 1
    """So many children of the parent are settled with it."""


class Passage:
    """What one link has to say of ids that never arrive."""

    def __init__(self) -> None:
        self._put: Deque[Word] = deque()
        self._waiting: List[Word] = []
        self._open: Dict[int, Tuple[int, List[Word]]] = {}
        self._next = -1

    def put(self, parent: Any, origin: str, first: int, items: int = 1, weight: int = 1) -> None:
        """Say it with the next message. From any thread; the rest with the worker's lock held."""
        self._put.append(Word(parent, origin, first, items, weight))

    @property
    def waiting(self) -> bool:
        """Whether there is something to say."""
        return bool(self._put or self._waiting)

    @property
    def empty(self) -> bool:
        """Whether all that was ever said is settled."""
        return not self.waiting and not self._open

    def gather(self) -> bool:
        """Join what was put to what waits, neighbours to one word; whether something waits."""
        waiting = self._waiting
        while self._put:
            word = self._put.popleft()
            last = waiting[-1] if waiting else None
            if last is not None and _follows(last, word):
                waiting[-1] = last._replace(items=last.items + word.items, weight=last.weight + word.weight)
            else:
                waiting.append(word)
        return bool(waiting)

    def send(self, receiver: int) -> Tuple[int, List[Tuple[str, int, int]]]:
        """What waits goes to ``receiver``: its number, and the ids as they travel."""
        words, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        number = self._next
        self._next -= 1
        self._open[number] = (receiver, words)
        return number, [(word.origin, word.first, word.items) for word in words]

    def unsent(self, number: int) -> None:
        """That could not be handed over: it waits again."""
        self._waiting = self._open.pop(number)[1] + self._waiting

    def settle(self, receiver: int, number: int) -> List[Word]:
        """The receiver is through with it, and so is everybody below; nothing for what was never open."""
        entry = self._open.get(number)
        if entry is None or entry[0] != receiver:
            return []
        del self._open[number]
        return entry[1]

    def lose(self, receiver: int) -> None:
        """The receiver died: what it was told is told to another."""
        for number in [number for number, entry in self._open.items() if entry[0] == receiver]:
            self.unsent(number)


def _follows(last: Word, word: Word) -> bool:
    if not last.items or not word.items or last.parent is not word.parent:
        return False
    return last.origin == word.origin and last.first + last.items == word.first
