"""What follows when items leave a sender's ledger: their slots are free, and whoever they were made from
hears of it."""

from __future__ import annotations

from typing import Any, Callable

from penstock.link.ledger import Cargo, Settled
from penstock.link.link import Link

OnSettled = Callable[[Any, int], None]
"""Takes a parent, and how many items made from it are settled."""


def let_go(done: Settled, on_settled: OnSettled) -> None:
    """These items are over."""
    cargo, failed = done
    _free(done)
    at = 0
    for run in cargo.runs:
        gone = sum(1 for index in failed if at <= index < at + run.items) if failed else 0
        at += run.items
        if run.parent is not None and run.items > gone:
            on_settled(run.parent, run.items - gone)


def give_up(link: Link, cargo: Cargo, on_settled: OnSettled) -> None:
    """These items are over, and have not arrived. Who takes in order what comes after them has to know."""
    done = Settled(cargo, set())
    if link.passage is None:
        let_go(done, on_settled)
        return
    _free(done)
    for run in cargo.runs:  # the word is now what is owed to their parent
        link.passage.put(run.parent, run.origin, run.first, run.items, run.items)


def _free(done: Settled) -> None:
    cargo, failed = done
    if cargo.slots is not None:
        for index, slots in enumerate(cargo.slots):
            if index not in failed:
                for slot in slots:
                    slot.drop()
