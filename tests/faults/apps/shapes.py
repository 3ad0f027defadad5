"""Items put together: in windows, and two flows in pairs.

count -> left x2  -> windows -> Windows
                  -> pairs   -> Pairs
echo  -> right x2 -> pairs
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Pipeline, join, sink, sliding, source, stage

ITEMS = int(os.environ["ITEMS"])
KEYS = 7


def numbers() -> Iterator[int]:
    """0, 1, 2 ... as far as the gate is open."""
    gate = Gate("count")
    for number in range(ITEMS):
        gate.wait(number)
        yield number


@source(max_restarts=100)
def count() -> Iterator[int]:
    """One flow."""
    yield from numbers()


@source(max_restarts=100)
def echo() -> Iterator[int]:
    """Another, of the same."""
    yield from numbers()


@stage(replicas=2, max_restarts=100)
def left(number: int) -> dict[str, int]:
    """With a name."""
    return {"id": number}


@stage(replicas=2, max_restarts=100)
def right(number: int) -> int:
    """Without one."""
    return number


def itself(number: int) -> int:
    """The key of ``right``."""
    return number


def remainder(item: dict[str, int]) -> int:
    """The key of a window."""
    return item["id"] % KEYS


@sink(max_restarts=100)
class Windows:
    """What is in them, on a tape before it is settled; how many there are in each on another."""

    def setup(self) -> None:
        """Lay the tapes in."""
        self.tape, self.lengths = Tape("windows"), Tape("lengths")

    def __call__(self, window: list[dict[str, int]]) -> None:
        """Of one key, and not too many."""
        assert len({remainder(item) for item in window}) == 1
        for item in window:
            self.tape.note(item["id"])
        self.lengths.note(len(window))


@sink(max_restarts=100)
class Pairs:
    """Those that were found, likewise."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("pairs")

    def __call__(self, pair: tuple[dict[str, int], int]) -> None:
        """Of the same number."""
        assert pair[0]["id"] == pair[1]
        self.tape.note(pair[1])


pipeline = Pipeline(
    "shapes",
    count >> left >> sliding(count=20, step=10, by=remainder, name="windows", max_restarts=100) >> Windows,
    join(left, echo >> right, on=("id", itself), within="10m", name="pairs", max_restarts=100) >> Pairs,
    count >> left,
)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
