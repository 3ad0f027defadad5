"""Everything at once, for as long as the gate is open, to see whether anything grows.

ticks -> [fresh + prepare] x2 -> account x2                    (key)
                              -> preview                       (drop_oldest)
                              -> visits -> summary             (windows)
                              -> in order                      (ordered)
                              -> fetch -> once                 (concurrency, dedupe)
         [odd]                -> review                        (max_age)
ticks -> pass_on -> pairs <- ticks                             (join; arrays without a copy)
                    pairs -> compare
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any, TypedDict

import numpy as np
from gate import Gate
from tape import Tape

import penstock
from penstock import Context, Pipeline, Retry, at, join, sink, source, stage, tumbling

STEP = 1000
"""Items between two looks at the gate, two positions, two large arrays."""
Array = np.ndarray[Any, np.dtype[Any]]


class Tick(TypedDict):
    """One item: its number twice, the second time in an array."""

    number: int
    user: str
    pixels: Array


@source(max_restarts=1000)
def ticks(start: int = 0) -> Iterator[Tick]:
    """One after the other, the first of each thousand with an array that lies in shared memory."""
    gate = Gate("ticks")
    for first in itertools.count(start, STEP):
        gate.wait(first)
        for number in range(first, first + STEP):
            size = 250_000 if number % STEP == 0 else 64
            tick = Tick(number=number, user=f"user {number % 97}", pixels=np.full(size, number, "i8"))
            yield at(number + 1, tick) if number % STEP == STEP - 1 else tick


def fresh(tick: Tick) -> Tick:
    """A small step in the process of the next."""
    return {**tick, "user": tick["user"].replace("user", "account")}


@stage
def pass_on(tick: Tick) -> Tick:
    """The same array, without a copy."""
    return tick


@sink
class Compare:
    """What came by two ways is one."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.broken = Tape("broken")

    def __call__(self, pair: tuple[Tick, Tick]) -> None:
        """Both as they were sent."""
        if not (whole(pair[0]) and whole(pair[1]) and pair[0]["number"] == pair[1]["number"]):
            self.broken.note(pair[0]["number"])


@stage(concurrency=8)
async def fetch(tick: Tick) -> Tick:
    """Waits for somebody else, eight at a time."""
    await asyncio.sleep(0)
    return tick


@sink(dedupe=True)
class Once:
    """Each item but once."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.broken = Tape("broken")

    def __call__(self, tick: Tick) -> None:
        """One."""
        if not whole(tick):
            self.broken.note(tick["number"])


@sink(ordered=True)
class InOrder:
    """One after the other."""

    def setup(self) -> None:
        """Nobody has come."""
        self.broken = Tape("broken")
        self.last = -1

    def __call__(self, tick: Tick) -> None:
        """The next one; the source goes on after a death, and it never dies here."""
        if tick["number"] <= self.last:
            self.broken.note(tick["number"])
        self.last = tick["number"]


@sink
class Summary:
    """Windows of one user, each item as it was sent."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.broken = Tape("broken")

    def __call__(self, window: list[Tick]) -> None:
        """One window."""
        if len({tick["user"] for tick in window}) != 1 or not all(map(whole, window)):
            self.broken.note(window[0]["number"])


@stage(replicas=2, batch=16, max_restarts=1000, ports=("odd",))
def prepare(many: list[Tick], ctx: Context) -> list[Tick | None]:
    """Each as it came; now and then not at the first attempt, or by another way."""
    if ctx.attempt == 1 and many[0]["number"] % 5000 < 16:
        raise Retry("not yet", after="10ms")
    for place, tick in enumerate(many):
        if tick["number"] % 101 == 0:
            ctx.emit("odd", tick, of=place)
    return [None if tick["number"] % 101 == 0 else tick for tick in many]


def whole(tick: Tick) -> bool:
    """Whether its array is what was sent."""
    return bool((tick["pixels"] == tick["number"]).all())


@sink(key="user", replicas=2, max_restarts=1000)
class Account:
    """Counts, by user."""

    def setup(self) -> None:
        """Nothing is there yet."""
        self.users: dict[str, int] = {}
        self.broken = Tape("broken")

    def __call__(self, tick: Tick) -> None:
        """One more of this user."""
        self.users[tick["user"]] = self.users.get(tick["user"], 0) + 1
        if not whole(tick):
            self.broken.note(tick["number"])


@sink(on_full="drop_oldest", window=8)
class Preview:
    """Looks at what it can."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.broken = Tape("broken")

    def __call__(self, tick: Tick) -> None:
        """One picture, whole."""
        if not whole(tick):
            self.broken.note(tick["number"])


@sink(max_age="5s")
def review(tick: Tick) -> None:
    """What is odd, while it is fresh."""
    assert whole(tick)


pipeline = Pipeline(
    "soak",
    ticks >> penstock.map(fresh) >> prepare >> (Account, Preview),
    prepare["odd"] >> review,
    prepare >> (InOrder, fetch >> Once),
    prepare >> tumbling(count=20, time="1s", by="user", name="visits") >> Summary,
    join(ticks, ticks >> pass_on, on="number", within="30s", name="pairs") >> Compare,
)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
