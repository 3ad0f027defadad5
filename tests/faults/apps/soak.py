"""Everything at once, for as long as the gate is open, to see whether anything grows.

ticks -> prepare x2 -> account x2    (key)
                    -> preview       (drop_oldest)
         [odd]      -> review        (max_age)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, TypedDict

import numpy as np
from gate import Gate
from tape import Tape

from penstock import Context, Pipeline, Retry, at, sink, source, stage

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


pipeline = Pipeline("soak", ticks >> prepare >> (Account, Preview), prepare["odd"] >> review)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
