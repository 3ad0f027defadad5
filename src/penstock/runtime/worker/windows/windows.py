"""In the worker of a window: which items are in which window. A decision module: no sockets, no clock.

What is kept of a key lies in one list, in the order of arrival, and a window is a part of it:

    items      a  b  c  d  e  f
    windows    [-------)               the first to open is the first to close
                     [--------
                              [--

So an item is kept once, in however many windows it is, and let go when the last of them has closed. A window
opens with an item, never empty, and so there is nothing to do, and nothing to wake up for, where nothing
comes.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Callable, Dict, Hashable, List, NamedTuple, Optional, Sequence, Tuple

NEVER = math.inf

MOST = 4096
"""Items that are taken in between two looks at what has closed."""


class Output(NamedTuple):
    """Something is over."""

    members: Sequence[Any]
    """What goes out together; empty: nothing does. None: a place in a row for which nothing has come."""
    released: Sequence[Any]
    """What is needed no longer."""


@dataclass(frozen=True)
class Rule:
    """When windows open and close; what is not said is 0."""

    count: int = 0
    """Items after which one closes."""
    step: int = 0
    """One opens with each so-many-th item; 0: when none is open."""
    time: float = 0.0
    """Seconds after which one closes."""
    every: float = 0.0
    """Seconds after which the next opens, if something comes; 0: when none is open."""
    gap: float = 0.0
    """Seconds without an item after which one closes."""


class _Window:
    __slots__ = ("closes", "first", "serial")

    def __init__(self, serial: int, first: int, closes: float) -> None:
        self.serial = serial
        self.first = first
        """The place in its lane of its first item."""
        self.closes = closes


class _Lane:
    """What is kept of one key."""

    __slots__ = ("items", "key", "next", "opens", "windows")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.items: List[Any] = []
        self.windows: List[_Window] = []
        """Those that are open, the oldest first. (They are few; a deque has room for 64 from the beginning,
        and there may be a lane for each of a hundred thousand keys.)"""
        self.next = 0
        """Where windows open by count: the place of the item that opens the next."""
        self.opens = -NEVER
        """Where they open by time: when the next does."""


class Windows:
    """All windows of one worker that are open."""

    def __init__(self, rule: Rule, limit: int) -> None:
        """``limit``: items that are kept at most; one more, and the oldest window closes before its time.
        (To take no more would help nobody: what a window waits for may have to come past others.)"""
        self._rule = rule
        self._limit = limit
        self._lanes: Dict[Hashable, _Lane] = {}
        self._open: OrderedDict[int, _Lane] = OrderedDict()
        """By the window's serial, so the oldest is the first. (Of a plain dict the first is found only past
        all that were before it and are gone.)"""
        self._due: List[Tuple[float, int]] = []
        """When windows close; of one that is closed by then, or later, it says nothing."""
        self._serial = 0
        self.held = 0
        """Items that are kept."""
        self.cut = 0
        """Windows that have closed before their time."""

    def add(self, key: Hashable, _: int, member: Any, now: float) -> List[Output]:
        """An item came; what closes by that, or has closed before. (From where it came makes no
        difference.)"""
        closed = self.advance(now)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key)
        self._open_due(lane, now)
        lane.items.append(member)
        self.held += 1
        if self._rule.gap:
            lane.windows[0].closes = now + self._rule.gap
        if self._rule.count and len(lane.items) - lane.windows[0].first >= self._rule.count:
            closed.append(self._close(lane))
        while self.held > self._limit:
            self.cut += 1
            closed.append(self._close(next(iter(self._open.values()))))
        return closed

    def room(self, _: int) -> int:
        """How many items may come now, from that flow."""
        return MOST

    def advance(self, now: float) -> List[Output]:
        """What has closed by now."""
        closed: List[Output] = []
        while self._due and self._due[0][0] <= now:
            serial = heapq.heappop(self._due)[1]
            lane = self._open.get(serial)
            if lane is None:
                continue
            closes = lane.windows[0].closes  # of one key, the first to open is the first to close
            if closes > now:
                heapq.heappush(self._due, (closes, serial))
            else:
                closed.append(self._close(lane))
        return closed

    def due(self) -> Optional[float]:
        """When to ``advance``; None: nothing closes by time alone. May be too early."""
        return self._due[0][0] if self._due else None

    def flush(self) -> List[Output]:
        """Nothing more comes: all close."""
        closed: List[Output] = []
        while self._open:
            closed.append(self._close(next(iter(self._open.values()))))
        return closed

    def give_up(self, _: int) -> List[Output]:
        """Nothing more comes but from that flow: windows do not ask from where."""
        return []

    def forget(self, gone: Callable[[Any], bool]) -> List[Any]:
        """Items come again by another way: take them out of the windows. Those that were taken out."""
        forgotten: List[Any] = []
        for lane in list(self._lanes.values()):
            forgotten += self._forget(lane, gone)
        self.held -= len(forgotten)
        return forgotten

    def _open_due(self, lane: _Lane, now: float) -> None:
        """Open the windows that the item which has just come, and is next in its lane, is the first of."""
        rule, windows = self._rule, lane.windows
        if rule.every and windows:
            while lane.opens <= now:
                if lane.opens + rule.time > now:  # else it is over, and nothing was in it
                    self._open_one(lane, lane.opens + rule.time)
                lane.opens += rule.every
        elif not windows:
            lane.opens, lane.next = now + rule.every, len(lane.items) + rule.step
            self._open_one(lane, now + (rule.time or rule.gap or NEVER))
        elif rule.step and lane.next == len(lane.items):
            lane.next += rule.step
            self._open_one(lane, NEVER)

    def _open_one(self, lane: _Lane, closes: float) -> None:
        self._serial += 1
        lane.windows.append(_Window(self._serial, len(lane.items), closes))
        self._open[self._serial] = lane
        if closes < NEVER:
            heapq.heappush(self._due, (closes, self._serial))
            self._clear_due()

    def _clear_due(self) -> None:
        """Forget when windows would close that have closed by count: there may be many in a long time."""
        if len(self._due) > 64 + 2 * len(self._open):
            self._due = [(closes, serial) for closes, serial in self._due if serial in self._open]
            heapq.heapify(self._due)

    def _close(self, lane: _Lane) -> Output:
        """Close the oldest window of a lane."""
        window, items, count = lane.windows.pop(0), lane.items, self._rule.count
        del self._open[window.serial]
        members = items[window.first : window.first + count] if count else items[window.first :]
        return Output(members, self._trim(lane))

    def _trim(self, lane: _Lane) -> List[Any]:
        """Let go of what is in no window any more; a lane of which nothing is left is forgotten."""
        first = lane.windows[0].first if lane.windows else len(lane.items)
        released = lane.items[:first]
        del lane.items[:first]
        self.held -= first
        if not lane.windows:
            del self._lanes[lane.key]
        lane.next -= first
        for window in lane.windows:
            window.first -= first
        return released

    def _forget(self, lane: _Lane, gone: Callable[[Any], bool]) -> List[Any]:
        kept: List[Any] = []
        places: List[int] = []
        """Where each item is now, or would be."""
        forgotten: List[Any] = []
        for member in lane.items:
            places.append(len(kept))
            (forgotten if gone(member) else kept).append(member)
        if forgotten:
            places.append(len(kept))
            self._move(lane, kept, places)
        return forgotten

    def _move(self, lane: _Lane, kept: List[Any], places: List[int]) -> None:
        """The lane's items are only these now; its windows go with them, and those that are left empty go."""
        if self._rule.step:
            beyond = max(0, lane.next - len(lane.items))
            lane.next = places[lane.next - beyond] + beyond
        lane.items = kept
        for window in lane.windows:
            window.first = places[window.first]
        while lane.windows and lane.windows[-1].first == len(kept):
            del self._open[lane.windows.pop().serial]
        if not lane.windows:
            del self._lanes[lane.key]
