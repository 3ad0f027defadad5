"""Every way that a pipeline can branch: a copy, a route, a port and a merge.

count -> audit                        a copy of every item
      -> split -> even                routed by what they are
               -> odd x2
         split[odd ones out] -> review
         even, odd -> record          merged
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Context, Pipeline, route, sink, source, stage

ITEMS = int(os.environ["ITEMS"])


@source(max_restarts=100)
def count() -> Iterator[int]:
    """0, 1, 2 ... as far as the gate is open."""
    gate = Gate("count")
    for number in range(ITEMS):
        gate.wait(number)
        yield number


@stage(replicas=2, max_restarts=100, ports=("strange",))
def split(number: int, ctx: Context) -> int | None:
    """Every hundredth number is strange; each of the others is passed on."""
    if number % 100 == 0:
        ctx.emit("strange", number)
        return None
    return number


def parity(number: int) -> int:
    """0 for even numbers, 1 for odd ones."""
    return number % 2


@stage(max_restarts=100)
def even(number: int) -> int:
    """Even numbers only."""
    assert number % 2 == 0
    return number


@stage(replicas=2, max_restarts=100)
def odd(number: int) -> Iterator[int]:
    """Odd numbers only; each becomes two."""
    assert number % 2 == 1
    yield number
    yield number + ITEMS


@sink(max_restarts=100)
class Audit:
    """All numbers, on a tape before they are settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("audit")

    def __call__(self, number: int) -> None:
        """One number."""
        self.tape.note(number)


@sink(max_restarts=100)
def review(number: int) -> None:
    """Strange numbers."""
    tape("review").note(number)


@sink(max_restarts=100)
def merged(number: int) -> None:
    """The others."""
    tape("merged").note(number)


@functools.cache
def tape(name: str) -> Tape:
    """One for the life of a worker."""
    return Tape(name)


pipeline = Pipeline(
    "branches",
    count >> (Audit, split),
    split >> route(even, odd, by=parity),
    split["strange"] >> review,
    (even, odd) >> merged,
)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
