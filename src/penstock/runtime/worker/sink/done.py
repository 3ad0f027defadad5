"""In the worker of a sink that remembers: which ids are done. A decision module: no files, no clock.

The ids of one origin are kept as intervals, so a million of them in order cost two numbers. Where they come
out of order, or each has an origin of its own (what is yielded from an item: ``camera/0:17``), there are many
intervals; of these at least the last ``limit`` are known. They are kept in two generations: when the young
one is full it becomes the old one, and what was old is forgotten. To know for each interval when it was last
used would cost more than the intervals.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Dict, List

Intervals = List[int]
"""Begin, end, begin, end ...: ascending, no two alike. A number is in one if an odd number of these is not
above it."""


class Done:
    """A set of ids."""

    def __init__(self, limit: int) -> None:
        """``limit``: intervals that are remembered, at least."""
        self._limit = limit
        self._young: Dict[int, Intervals] = {}
        self._old: Dict[int, Intervals] = {}
        self._count = 0
        """Intervals in the young generation."""

    def has(self, origin: int, number: int) -> bool:
        """Whether it is in the set. (An origin is known by a number of its own.)"""
        young = self._young.get(origin)
        if young is not None and bisect_right(young, number) & 1:
            return True
        old = self._old.get(origin)
        return old is not None and bool(bisect_right(old, number) & 1)

    def add(self, origin: int, first: int, count: int = 1) -> None:
        """``count`` neighbours are done."""
        found = self._young.get(origin)
        if found is not None and found[-1] == first:
            found[-1] += count
            return
        if found is None:
            if self._count >= self._limit:
                self._old, self._young, self._count = self._young, {}, 0
            self._young[origin] = [first, first + count]
            self._count += 1
            return
        before = len(found)
        _unite(found, first, first + count)
        self._count += (len(found) - before) // 2
        if self._count > self._limit:
            self._old, self._young, self._count = self._young, {}, 0


def _unite(intervals: Intervals, begin: int, end: int) -> None:
    """Add one interval; those that it touches become one with it."""
    left, right = bisect_left(intervals, begin), bisect_right(intervals, end)
    intervals[left:right] = [begin] * (left % 2 == 0) + [end] * (right % 2 == 0)
