"""Numbers that overtake each other on their way, to a sink that gets them in order.

count -> sift -> spread -> Record
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any

from gate import Gate
from tape import Tape

from penstock import Pipeline, Reject, at, sink, source, stage

ITEMS = int(os.environ["ITEMS"])
PACE = float(os.environ.get("PACE", "0.0002"))
"""Seconds that the slowest item takes in ``sift``."""


@source(max_restarts=1000)
def count(start: int = 0) -> Iterator[int]:
    """Each number with its own position, as far as the gate is open."""
    gate = Gate("count")
    for number in range(start, ITEMS):
        gate.wait(number)
        yield at(number + 1, number)


def sifted(number: int) -> int | None:
    """Two of three; one of a thousand is refused for good."""
    if number % 1000 == 500:
        raise Reject("one of those")
    return number if number % 3 else None


def one(number: int) -> int | None:
    """At different paces."""
    time.sleep(PACE * (number * 7 % 5) / 4)
    return sifted(number)


async def several(number: int) -> int | None:
    """The same, beside others."""
    await asyncio.sleep(PACE * (number * 7 % 5) / 4)
    return sifted(number)


WAYS: dict[str, dict[str, Any]] = {
    "one": {"replicas": 4},
    "concurrency": {"replicas": 2, "concurrency": 8},
    "threads": {"replicas": 2, "threads": 4},
}
WAY = os.environ.get("WAY", "one")
sift = stage(name="sift", max_restarts=1000, **WAYS[WAY])(several if WAY == "concurrency" else one)


@stage(replicas=3, max_restarts=1000)
def spread(number: int) -> Iterator[int]:
    """None, one, two or three of each."""
    for part in range(number % 4):
        yield 10 * number + part


@sink(ordered=True, max_restarts=1000)
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, number: int) -> None:
        """One number."""
        self.tape.note(number)


pipeline = Pipeline("orderly", count >> sift >> spread >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
