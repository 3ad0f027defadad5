"""What waits on a link with a key: a lane for each receiver. A decision module: no sockets, no clock.

All items of one shard are in one place: in the lane of the receiver whose it is, or aside, while it has no
home. So they keep their order, whatever comes and goes. In a lane, what is to be delivered again comes
before what has never been sent; within each, what was made first. (What is to be delivered again is taken
back in another order than it was made: what a socket refused comes before what its dead receiver held.)
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Deque, Dict, Iterable, Iterator, List, Optional, Tuple

from penstock.link.affinity import Affinity
from penstock.link.ledger import Cargo, Run

ASIDE = -1
"""The lane of those that have no home now."""


class Lane:
    """What waits for one receiver, each item a cargo of its own."""

    __slots__ = ("again", "fresh")

    def __init__(self) -> None:
        self.again: List[Tuple[int, Cargo]] = []
        self.fresh: Deque[Cargo] = deque()

    def take(self, items: int, nbytes: int) -> Cargo:
        """The next batch: one that is delivered again, or at most ``items`` and ``nbytes``, but at least one.

        Raises:
            IndexError: nothing waits.
        """
        if self.again:
            return heapq.heappop(self.again)[1]
        fresh = self.fresh
        found = [fresh.popleft()]
        total = found[0].nbytes
        while (
            fresh and len(found) < items and _alike(found[0], fresh[0]) and total + fresh[0].nbytes <= nbytes
        ):
            total += fresh[0].nbytes
            found.append(fresh.popleft())
        return found[0] if len(found) == 1 else _together(found, total)


class Lanes:
    """All lanes of one link."""

    def __init__(self, affinity: Affinity) -> None:
        self._affinity = affinity
        self._lanes: Dict[int, Lane] = {}
        self.waiting = 0
        """Items in them that have never been sent."""
        self.nbytes = 0
        """Bytes of these."""

    def add(self, cargos: Iterable[Cargo]) -> None:
        """Items that were made."""
        for cargo in cargos:
            self.waiting += 1
            self.nbytes += cargo.nbytes
            self._lane(cargo).fresh.append(cargo)

    def add_again(self, cargo: Cargo) -> None:
        """An item that is to be delivered again."""
        heapq.heappush(self._lane(cargo).again, (cargo.tags[0].serial, cargo))

    def sort(self) -> None:
        """Somebody came or went, or a shard is free to move: each to its lane, as things stand now."""
        lanes, self._lanes = self._lanes, {}
        for lane in lanes.values():
            for _, cargo in lane.again:
                self.add_again(cargo)
            for cargo in lane.fresh:
                self._lane(cargo).fresh.append(cargo)

    def take(self, receiver: int, items: int, nbytes: int) -> Cargo:
        """The next batch for ``receiver``; see ``Lane.take``."""
        lane = self._lanes[receiver]
        again = bool(lane.again)
        cargo = lane.take(items, nbytes)
        if not again:
            self.waiting -= len(cargo)
            self.nbytes -= cargo.nbytes
        if not lane.again and not lane.fresh:
            del self._lanes[receiver]
        return cargo

    def pending(self) -> Iterator[int]:
        """The receivers for which something waits."""
        return (receiver for receiver in self._lanes if receiver != ASIDE)

    def length(self, receiver: int) -> Optional[int]:
        """How many new items wait for it; None: one that is delivered again comes before them."""
        lane = self._lanes[receiver]
        return None if lane.again else len(lane.fresh)

    @property
    def empty(self) -> bool:
        """Whether nothing waits, for the first time or again."""
        return not self._lanes

    @property
    def longest(self) -> int:
        """New items in the longest lane."""
        return max((len(lane.fresh) for lane in self._lanes.values()), default=0)

    def _lane(self, cargo: Cargo) -> Lane:
        home = self._affinity.home(cargo.tags[0].shard)
        receiver = ASIDE if home is None else home
        lane = self._lanes.get(receiver)
        if lane is None:
            lane = self._lanes[receiver] = Lane()
        return lane


def _alike(one: Cargo, other: Cargo) -> bool:
    """Whether they may share a batch: no frames in either, slots in both or in none."""
    return not one.frames and not other.frames and (one.slots is None) is (other.slots is None)


def _together(cargos: List[Cargo], nbytes: int) -> Cargo:
    runs: List[Run] = []
    for cargo in cargos:
        run = cargo.runs[0]
        last = runs[-1] if runs else None
        if (
            last is not None
            and last.parent is run.parent
            and last.origin == run.origin
            and last.first + last.items == run.first
        ):
            runs[-1] = Run(run.parent, run.origin, last.first, last.items + 1)
        else:
            runs.append(run)
    made = Cargo(
        [cargo.payloads[0] for cargo in cargos],
        runs,
        nbytes=nbytes,
        slots=[cargo.slots[0] for cargo in cargos if cargo.slots is not None] or None,
    )
    made.tags = [cargo.tags[0] for cargo in cargos]
    return made
