"""In the worker of a source: how far all that it has made is settled. A decision module: no files, no clock.

Items are settled in any order. A source can go on only from a position before which nothing is missing, so
what it makes is cut into stretches, in their order; a stretch is over when it is complete and all its items
are settled (or dead letters), and the position reached is that of the last stretch before the first that is
not over:

    | over | over | not over | over |
                  ^ here

A stretch is what is made between two looks at the sockets. So a source that makes an item now and then
keeps a position for each, and a busy one pays for one stretch in hundreds of items.
"""

from __future__ import annotations

from collections import deque
from typing import Deque, Dict, NamedTuple, Optional


class Mark(NamedTuple):
    """A place in what a source makes."""

    position: bytes
    """In the source's own words, encoded at once: it may change the value it has said."""
    made: int
    """Items it has yielded up to here: the number that the next one gets."""
    emitted: Dict[str, int]
    """The same for what it emits beside, by port."""
    origin: str = ""
    """The first part of the ids of these items."""


class Stretch:
    """Neighbouring items; the parent of each, as far as links are concerned."""

    __slots__ = ("complete", "emitted", "mark", "settled")

    def __init__(self) -> None:
        self.emitted = 0
        """Items made in it, once per link. Counted by whoever makes them."""
        self.settled = 0
        """Of these, the settled ones."""
        self.complete = False
        """No more will be made in it."""
        self.mark: Optional[Mark] = None
        """The last that lies in it."""


class Progress:
    """The stretches of one source that are not over."""

    def __init__(self) -> None:
        self.reached: Optional[Mark] = None
        """All that was made before this is settled. None: nowhere yet."""
        self._stretches: Deque[Stretch] = deque()

    def begin(self) -> Stretch:
        """A new stretch, behind all others."""
        stretch = Stretch()
        self._stretches.append(stretch)
        return stretch

    def complete(self, stretch: Stretch) -> bool:
        """No more comes in it; whether another position is reached by that."""
        stretch.complete = True
        return self._advance()

    def settled(self, stretch: Stretch, count: int) -> bool:
        """``count`` of its items are settled; whether another position is reached by that."""
        stretch.settled += count
        return self._advance()

    def _advance(self) -> bool:
        before = self.reached
        while self._stretches:
            first = self._stretches[0]
            if not first.complete or first.settled < first.emitted:
                break
            self._stretches.popleft()
            self.reached = first.mark or self.reached
        return self.reached is not before
