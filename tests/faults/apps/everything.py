"""Every shape in one graph, over numbers that are noted wherever they arrive.

count -> [named + work] x2 -> InOrder                 (ordered)
                           -> fetch -> Fetched        (eight in hand)
                           -> windows -> Windows
                           -> pairs -> Pairs          (join with count -> echo x2)
      -> Book x2                                      (key)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import TypedDict

from gate import Gate
from tape import Tape

import penstock
from penstock import Context, Pipeline, Retry, at, join, sink, source, stage, tumbling

ITEMS = int(os.environ["ITEMS"])
WITHIN = os.environ["WITHIN"]
"""How long half a pair waits."""
DROPPED = 11
"""Of so many items ``work`` lets one go no further."""
ACCOUNTS = 7


class Item(TypedDict):
    """A number, and whose it is."""

    number: int
    account: str


@source(max_restarts=1000)
def count(start: int = 0) -> Iterator[int]:
    """0, 1, 2 ... as far as the gate is open."""
    gate = Gate("count")
    for number in range(start, ITEMS):
        gate.wait(number)
        yield at(number + 1, number)


def named(number: int) -> Item:
    """A small step."""
    return Item(number=number, account=f"account {number % ACCOUNTS}")


@stage(replicas=2, batch=8, max_restarts=1000)
def work(items: list[Item], ctx: Context) -> list[Item | None]:
    """Not all go further, and some calls fail at first."""
    if ctx.attempt == 1 and items[0]["number"] % 97 == 0:
        raise Retry("not yet", after="5ms")
    return [None if item["number"] % DROPPED == 0 else item for item in items]


@stage(replicas=2, max_restarts=1000)
def echo(number: int) -> int | None:
    """The other side of a pair, for those that ``work`` lets go further."""
    return number if number % DROPPED else None


@stage(concurrency=8, max_restarts=1000)
async def fetch(item: Item) -> int:
    """Some take longer."""
    await asyncio.sleep(0.0001 * (item["number"] % 5))
    return item["number"]


@sink(max_restarts=1000)
class Fetched:
    """On a tape."""

    def setup(self) -> None:
        """Lay it in."""
        self.tape = Tape("fetched")

    def __call__(self, number: int) -> None:
        """One number."""
        self.tape.note(number)


@sink(ordered=True, max_restarts=1000)
class InOrder:
    """On a tape, as they come."""

    def setup(self) -> None:
        """Lay it in."""
        self.tape = Tape("in-order")

    def __call__(self, item: Item) -> None:
        """One item."""
        self.tape.note(item["number"])


def account(number: int) -> int:
    """Whose it is."""
    return number % ACCOUNTS


@sink(replicas=2, key=account, max_restarts=1000)
class Book:
    """On the tape of its account, as they come."""

    def setup(self) -> None:
        """Lay them in."""
        self.tapes = [Tape(f"account-{number}") for number in range(ACCOUNTS)]

    def __call__(self, number: int) -> None:
        """One number."""
        self.tapes[account(number)].note(number)


@sink(max_restarts=1000)
class Windows:
    """What is in them, on a tape."""

    def setup(self) -> None:
        """Lay it in."""
        self.tape = Tape("windows")

    def __call__(self, window: list[Item]) -> None:
        """One window, of one account."""
        assert len({item["account"] for item in window}) == 1
        for item in window:
            self.tape.note(item["number"])


@sink(max_restarts=1000)
class Pairs:
    """Those that were found, on a tape."""

    def setup(self) -> None:
        """Lay it in."""
        self.tape = Tape("pairs")

    def __call__(self, pair: tuple[Item, int]) -> None:
        """Of one number."""
        assert pair[0]["number"] == pair[1]
        self.tape.note(pair[1])


def number_of(item: Item) -> int:
    """The key of one side."""
    return item["number"]


def itself(number: int) -> int:
    """The key of the other."""
    return number


pipeline = Pipeline(
    "everything",
    count >> penstock.map(named) >> work >> (InOrder, fetch >> Fetched),
    work >> tumbling(count=20, time="500ms", by="account", name="windows", max_restarts=1000) >> Windows,
    join(work, count >> echo, on=(number_of, itself), within=WITHIN, name="pairs", max_restarts=1000)
    >> Pairs,
    count >> Book,
)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
