"""When the items of a queue were made. A decision module: no sockets, no clock.

To stamp each item would cost more than to queue it. So each look at a queue marks what came since the last
look with the time of this one, and neighbours that were made at nearly the same time share a mark. A mark
is never earlier than its items: nothing is called too old that is not.
"""

from __future__ import annotations

from collections import deque
from typing import Deque, List

PARTS = 32
"""An age is known to within this part of the greatest one."""


class Marks:
    """Ends of life of the items in a queue, first in, first out."""

    def __init__(self, max_age: int) -> None:
        """``max_age``: ns that an item may live from when it was made."""
        self._max_age = max_age
        self._marks: Deque[List[int]] = deque()
        """Items, the time of the first look that saw some of them, the time of the last."""
        self._items = 0

    def note(self, waiting: int, now: int) -> None:
        """``waiting`` items are in the queue; those that were not yet seen have been made just ``now``."""
        fresh = waiting - self._items
        if fresh <= 0:
            return
        self._items = waiting
        last = self._marks[-1] if self._marks else None
        if last is not None and now - last[1] <= self._max_age // PARTS:
            last[0] += fresh
            last[2] = now
        else:
            self._marks.append([fresh, now, now])

    @property
    def front(self) -> int:
        """Items at the front that share a mark; 0: the queue is empty, or has not been looked at."""
        return self._marks[0][0] if self._marks else 0

    @property
    def expires(self) -> int:
        """When those become too old, in ns."""
        return self._marks[0][2] + self._max_age

    def take(self, items: int) -> None:
        """So many of them are taken out."""
        self._items -= items
        self._marks[0][0] -= items
        if not self._marks[0][0]:
            self._marks.popleft()
