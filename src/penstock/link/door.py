"""An outbox that refuses items when it is full, so that whoever makes them never waits.

Only the maker's thread knows at once that an item is one too many; what follows from that (its parent hears
of it, its shared memory is free) wants the worker's lock. So a refused item is noted here, without its
payload, and the next look takes the note. As in every outbox, each side writes its own counters.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Iterator, List, Optional

from penstock.link.ledger import Cargo, Run
from penstock.link.outbox import Extras, Feed, Outbox, Put
from penstock.message.flat import Flat


class Door(Outbox):
    """A queue of at most ``depth`` items; what comes when it is full is refused, and counted."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 1
        """Items that may be in it. (One may always, however large.)"""
        self._refused = 0
        self._plain = 0
        """Those of them that nobody has to hear of: made from nothing, and without shared memory."""
        self._plain_taken = 0
        self._notes: Deque[Cargo] = deque()
        self._alarm_refused = 0
        self.by_name = False
        """Whether somebody has to hear which items were refused, and not only how many."""

    @property
    def made(self) -> int:
        """Items that were ever put, the refused ones too."""
        return self._put + self._refused

    def ring(self, more: int, at_most: int) -> None:
        """As ``Outbox.ring``; whoever is refused ``at_most`` times is told, too."""
        super().ring(more, at_most)
        self._alarm_refused = self._refused + at_most

    def put(
        self, parent: Any, origin: str, number: int, payload: bytes, extras: Optional[Extras] = None
    ) -> bool:
        """Add the item, or refuse it; whether it is time to look at the sockets."""
        waiting = self._put - self._taken
        if waiting < self.depth and (not waiting or self.heavy < self.heavy_limit):
            return super().put(parent, origin, number, payload, extras)
        if parent is None and not self.by_name and (extras is None or not extras.slots):
            self._plain += 1
        else:
            slots = [extras.slots] if extras is not None and extras.slots else None
            self._notes.append(Cargo([b""], [Run(parent, origin, number, 1)], slots=slots))
        self._refused = refused = self._refused + 1
        return refused >= self._alarm_refused or extras is not None

    def feeder(self, origin: str, *, flat: Flat, slow: Put) -> Feed:
        """As ``Outbox.feeder``; an item that is refused has had its number all the same."""

        def feed(values: Iterator[Any]) -> bool:
            for value in values:
                if value is None:
                    continue
                payload, number = flat.encode(value), self.made
                if payload is None:
                    alarm = slow(value, None, origin, number)
                else:
                    alarm = self.put(None, origin, number, payload)
                if alarm:
                    return True
            return False

        return feed

    def refused(self) -> List[Cargo]:
        """What was refused since this was asked the last time. With the worker's lock held."""
        found = []
        count = self._plain - self._plain_taken
        if count:
            self._plain_taken += count
            found.append(Cargo([b""] * count, [Run(None, "", 0, count)]))
        while self._notes:
            found.append(self._notes.popleft())
        return found
