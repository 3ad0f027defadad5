"""The account of a run as people read it: numbers, the ledger's table, the last line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line says numbers the same way, and has no need of msgspec for that
    from penstock.pipeline.plan import Plan
    from penstock.runtime.supervisor.account import LinkCount, Totals

_ALWAYS = ("sent", "settled", "dead")
_WHEN_ANY = (
    "unmatched",
    "dropped_full",
    "dropped_too_old",
    "again",
    "requeued",
    "duplicates",
    "in_flight",
    "given_back",
    "unfinished",
    "lost",
    "senders_lost",
)
REASONS = {"dropped_full": "full", "dropped_too_old": "too old"}
"""Why items are dropped: the name of the count, and what people read."""
MISSED = {
    "full": "too many waited for it",
    "replaced": "a newer one came first",
    "gone": "an end came first",
    "unsure": "on its way at an end",
}
"""What became of what was published and not delivered."""
WORTH_SAYING = 10**6
"""Bytes (or bytes a second) below which it is not worth a column: control data, not arrays."""


def number(count: float) -> str:
    """``22,901``; a small rate keeps a digit: ``0.4``."""
    return f"{count:.1f}" if 0 < count < 10 and count != int(count) else f"{count:,.0f}"


def size(count: float) -> str:
    """``36 GB``, ``1.4 MB``: three digits are enough for people."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while count >= 999.5 and len(units) > 1:
        count /= 1000
        del units[0]
    unit = units[0]
    return f"{count:.1f} {unit}" if count < 9.95 and unit != "B" else f"{count:.0f} {unit}"


def duration(seconds: float) -> str:
    """``50 ms``, ``0.2 s``, ``12 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def stranded(link: str, count: int) -> str:
    """Dead letters that were put back to a link that is no more."""
    several = "1 dead letter" if count == 1 else f"{number(count)} dead letters"
    again = "it is a dead letter" if count == 1 else "they are dead letters"
    return f"{several} put back to {link} cannot go there, this run has no such link: {again} again"


def awaited(stage: str, items: int, patience: float) -> str:
    """What a drain waits for, and how long."""
    several = "1 item waits" if items == 1 else f"{number(items)} items wait"
    return (
        f"{several} for a script that attaches as {stage!r}; if none does, and nothing else moves for "
        f"{duration(patience)}, that stays unfinished"
    )


def last_line(totals: Totals) -> str:
    """``22,901 in, 22,901 out, 0 lost, 0 dead``, and what else is not 0."""
    parts = [
        f"{number(totals.entered)} in",
        f"{number(totals.through)} out",
        f"{number(totals.lost)} lost",
        f"{number(totals.dead)} dead",
    ]
    for name, reason in REASONS.items():
        if dropped := getattr(totals, name, 0):  # a run of an earlier version could not drop
            parts.append(f"{number(dropped)} dropped ({reason})")
    if totals.in_flight:
        parts.append(f"{number(totals.in_flight)} in flight")
    if totals.unfinished:
        parts.append(f"{number(totals.unfinished)} unfinished")
    return ", ".join(parts)


def ledger(plan: Plan, counts: Mapping[int, LinkCount]) -> list[str]:
    """The ledger, a line a link below its heading. Columns that are 0 everywhere are left out."""
    found = list(counts.values())
    names = [*_ALWAYS, *(name for name in _WHEN_ANY if any(getattr(count, name) for count in found))]
    heavy = any(count.bytes >= WORTH_SAYING for count in found)
    rows = [["link", *(name.replace("_", " ") for name in names), *(["data"] if heavy else [])]]
    for link in plan.links:
        count = counts[link.id]
        numbers = [number(getattr(count, name)) for name in names]
        rows.append([link.label, *numbers, *([size(count.bytes)] if heavy else [])])
    return aligned(rows)


def subscriptions(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What subscribers have got of what was published, a line each below a heading; none for none."""
    if not rows:
        return []
    names = ["offered", "delivered", *(name for name in MISSED if any(row[name] for row in rows))]
    table = [["subscriber", "topic", *names]]
    table += [[row["subscriber"], row["topic"], *(number(row[name]) for name in names)] for row in rows]
    return aligned(table)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as they need, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "   ".join(
            cell.rjust(width) if position else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
