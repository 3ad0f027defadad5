"""Numbers as people read them, here as in the foreground of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Mapping, cast

from penstock.runtime.supervisor import statement
from penstock.runtime.supervisor.statement import MISSED, REASONS, awaited, duration, number, size, stranded

if TYPE_CHECKING:
    from penstock.runtime.supervisor.account import Totals

__all__ = [
    "MISSED",
    "REASONS",
    "awaited",
    "duration",
    "headway",
    "last_line",
    "number",
    "size",
    "stranded",
    "took",
]


def took(seconds: float | None) -> str:
    """What an item took: ``0.6 µs``, ``38 µs``, ``3.1 ms``, ``12 s``; empty where that is not known."""
    if seconds is None:
        return ""
    for scale, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * scale < 999.5:
            return (
                f"{seconds * scale:.1f} {unit}" if seconds * scale < 9.95 else f"{seconds * scale:.0f} {unit}"
            )
    return duration(seconds)


def headway(part: float, numbers: Mapping[str, float]) -> str:
    """How far an item is: ``40 %  loss 0.1``."""
    return "  ".join([f"{part:.0%}", *(f"{name} {value:.4g}" for name, value in numbers.items())])


def last_line(totals: Mapping[str, int]) -> str:
    """The line that adds up, from a document."""
    # Not Totals(**totals): a newer supervisor may tell more than this command line knows.
    return statement.last_line(cast("Totals", SimpleNamespace(**totals)))
