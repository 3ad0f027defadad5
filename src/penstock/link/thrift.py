"""Whether packing pays on a link to another host, and which. A decision module: no sockets, no clock.

A byte costs its time on the line; a packed one costs the processor's time, and then as much less on the
line as it has become smaller. All three are measured as messages go: of each way how small it makes them and
how long that takes, and of the line how long it has a message. The way that costs the least is taken. Every
so often another one is tried, since what flows changes, and so does who else is on the line.

What unpacking costs is not measured: it is quicker than packing, and at the other end.
"""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

TRIES = 2
"""Messages by which each way, and none, is tried first."""
ANEW = 32
"""Each so manieth message after that tries the next one."""
FADING = 0.5
"""How much what was known counts beside a new measurement."""


class _Account:
    """So much for so much, the latest counting most."""

    def __init__(self) -> None:
        self._gained = self._spent = 0.0

    def add(self, gained: float, spent: float) -> None:
        self._gained = self._gained * FADING + gained
        self._spent = self._spent * FADING + spent

    @property
    def known(self) -> bool:
        return self._gained > 0

    @property
    def price(self) -> float:
        """Of one."""
        return self._spent / self._gained


class Thrift:
    """What is known of one receiver's line, and of what flows there."""

    def __init__(self, ways: Sequence[str]) -> None:
        """``ways``: those to choose from, besides none."""
        self._turns: List[str] = ["", *ways]
        self._count = 0
        self._line = _Account()
        self._ways: Dict[str, Tuple[_Account, _Account]] = {way: (_Account(), _Account()) for way in ways}
        """Of each: what is left of a byte, and the seconds that this takes."""

    def choose(self) -> str:
        """The way of the next message; empty: as it is."""
        count, turns = self._count, self._turns
        self._count += 1
        if count < TRIES * len(turns):
            return turns[count % len(turns)]
        if count % ANEW == 0:
            return turns[count // ANEW % len(turns)]
        return self.best()

    def best(self) -> str:
        """The cheapest way, as far as is known; of two that cost the same, none."""
        if not self._line.known:
            return ""
        return min(self._turns, key=self._cost)

    def packed(self, way: str, before: int, after: int, seconds: float) -> None:
        """So many bytes became so many, and that took so long."""
        left, time = self._ways[way]
        left.add(before, after)
        time.add(before, seconds)

    def travelled(self, nbytes: int, seconds: float) -> None:
        """The line had so many bytes for so long."""
        self._line.add(nbytes, seconds)

    def _cost(self, way: str) -> float:
        """Seconds a byte."""
        if not way:
            return self._line.price
        left, time = self._ways[way]
        return left.price * self._line.price + time.price if left.known else float("inf")
