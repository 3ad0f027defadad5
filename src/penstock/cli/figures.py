"""Numbers as people read them, here as in the foreground of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Mapping, cast

from penstock.runtime import statement
from penstock.runtime.statement import duration, number, size

if TYPE_CHECKING:
    from penstock.runtime.account import Totals

__all__ = ["duration", "last_line", "number", "size"]


def last_line(totals: Mapping[str, int]) -> str:
    """The line that adds up, from a document."""
    # Not Totals(**totals): a newer supervisor may tell more than this command line knows.
    return statement.last_line(cast("Totals", SimpleNamespace(**totals)))
