"""In the worker of a join: which items belong together. A decision module: no sockets, no clock.

Of each key, the items of a flow wait in a line. As soon as every flow has one, the first of each go out as a
row. So an item is in one row at most, and of each key at least one line is empty.

Whoever has waited too long goes: in a row with what has come for its key, where the join lets such rows out,
and else alone, unmatched. Nobody waits behind one who may wait longer, so the lines are looked at in the
order of arrival, whatever the key.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Callable, Dict, Hashable, List, Optional

from penstock.runtime.worker.windows.windows import MOST, Output


class _Entry:
    __slots__ = ("key", "member", "side", "since")

    def __init__(self, key: Hashable, side: int, member: Any, since: float) -> None:
        self.key = key
        self.side = side
        """From which flow it came."""
        self.member = member
        self.since = since


class Matching:
    """All items of one worker that wait for a partner."""

    cut = 0
    """Who may wait waits as long as it may."""

    def __init__(self, sides: int, within: float, how: str, limit: int) -> None:
        """``within``: seconds that the items of a row may be apart. ``how``: which rows go out that are not
        full: ``inner`` none, ``left`` those that have an item of the first flow, ``outer`` all. ``limit``:
        items of one flow that wait at most."""
        self._sides = range(sides)
        self._within = within
        self._how = how
        self._limit = limit
        self._lengths = [0] * sides
        """How many of each flow wait."""
        self._lines: Dict[Hashable, List[List[_Entry]]] = {}
        """(Most are short; a deque has room for 64 from the beginning.)"""
        self._waiting: OrderedDict[int, _Entry] = OrderedDict()
        """By the id of the entry, so the oldest is the first. (Of a plain dict the first is found only past
        all that were before it and are gone.)"""

    @property
    def held(self) -> int:
        """Items that wait."""
        return len(self._waiting)

    def room(self, side: int) -> int:
        """How many items may come now, from that flow. One that is ahead waits for the others."""
        return max(0, min(MOST, self._limit - self._lengths[side]))

    def add(self, key: Hashable, side: int, member: Any, now: float) -> List[Output]:
        """An item came; the row that it completes, behind those whose time was over before."""
        over = self._expire(lambda since: since + self._within < now)
        entry = _Entry(key, side, member, now)
        lines = self._lines.get(key)
        if lines is None:
            lines = self._lines[key] = [[] for _ in self._sides]
        lines[side].append(entry)
        self._waiting[id(entry)] = entry
        self._lengths[side] += 1
        return [*over, self._row(key)] if all(lines) else over

    def advance(self, now: float) -> List[Output]:
        """Whose time is over by now."""
        return self._expire(lambda since: since + self._within <= now)

    def due(self) -> Optional[float]:
        """When to ``advance``; None: nobody waits."""
        first = next(iter(self._waiting.values()), None)
        return None if first is None else first.since + self._within

    def flush(self) -> List[Output]:
        """Nothing more comes: nobody waits any more."""
        return self._expire(lambda _: True)

    def give_up(self, side: int) -> List[Output]:
        """Nothing more comes but from that flow: whoever came from there waits in vain."""
        mine = [entry for entry in self._waiting.values() if entry.side == side]
        return [self._part(entry) for entry in mine if id(entry) in self._waiting]

    def forget(self, gone: Callable[[Any], bool]) -> List[Any]:
        """Items come again by another way: they wait no more. Those that were taken out."""
        leaving = [entry for entry in self._waiting.values() if gone(entry.member)]
        for entry in leaving:
            self._lines[entry.key][entry.side].remove(entry)
            self._let_go(entry)
        return [entry.member for entry in leaving]

    def _expire(self, over: Callable[[float], bool]) -> List[Output]:
        found: List[Output] = []
        while self._waiting:
            first = next(iter(self._waiting.values()))
            if not over(first.since):
                break
            found.append(self._part(first))
        return found

    def _part(self, entry: _Entry) -> Output:
        """Who stands first in its line goes."""
        lines = self._lines[entry.key]
        if self._how == "outer" or (self._how == "left" and lines[0]):
            return self._row(entry.key)
        lines[entry.side].pop(0)
        self._let_go(entry)
        return Output((), [entry.member])

    def _row(self, key: Hashable) -> Output:
        """The first of each line."""
        lines = self._lines[key]
        row = [line.pop(0) if line else None for line in lines]
        present = [entry for entry in row if entry is not None]
        for entry in present:
            self._let_go(entry)
        members = [entry.member if entry is not None else None for entry in row]
        return Output(members, [entry.member for entry in present])

    def _let_go(self, entry: _Entry) -> None:
        del self._waiting[id(entry)]
        self._lengths[entry.side] -= 1
        if not any(self._lines.get(entry.key, ())):
            self._lines.pop(entry.key, None)
