"""Jobs as people and programs read them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from penstock.cli import figures, terminal
from penstock.cli.preview import describe
from penstock.cli.table import table
from penstock.errors import EnvironmentFault, PeerError
from penstock.tasks import freight
from penstock.tasks.items import ITEM
from penstock.tasks.job import Attempt, JobRow
from penstock.tasks.script import SCRIPT

FEW = 5
"""Numbers of jobs that are listed."""
HEADER = ("JOB", "TASK", "GROUP", "STATE", "FAILURES", "SUBMITTED", "")
COLOURS = {"done": terminal.good, "dead": terminal.bad, "cancelled": terminal.dim, "running": terminal.strong}


def fields(row: JobRow) -> dict[str, Any]:
    """One for a JSON document; times in milliseconds since 1970."""
    found: dict[str, Any] = msgspec.to_builtins(row)
    found["rules"] = {name: getattr(row.rules, name) for name in row.rules.__struct_fields__}
    return found


def attempt_fields(attempt: Attempt) -> dict[str, Any]:
    """An attempt for a JSON document."""
    found: dict[str, Any] = msgspec.to_builtins(attempt)
    return found


def table_of(rows: Sequence[JobRow]) -> list[str]:
    """A line for each."""
    return table([_cells(row) for row in rows], HEADER, right=[0, 4])


def several(count: int) -> str:
    """How many jobs."""
    return f"{count} job{'' if count == 1 else 's'}"


def about(row: JobRow, attempts: Sequence[Attempt], arguments: str, waits: str = "") -> str:
    """One, for people. ``waits``: why it does."""
    rows = [
        ["job", f"{terminal.strong(str(row.seq))}   {row.id}"],
        ["task", f"{task_of(row)}   group {row.group}   priority {row.priority}"],
        ["state", f"{_state(row)}   {_note(row)}".rstrip()],
        *([["waits", terminal.doubtful(waits)]] if waits else []),
        ["submitted", _when(row.submitted_at)],
        *([["not before", _when(row.run_at)]] if row.state == "scheduled" and not row.after else []),
        *([["started", f"{_when(row.started_at)}   by {row.owner}"]] if row.started_at else []),
        *([["ended", _when(row.finished_at)]] if row.finished_at else []),
        ["failures", f"{row.failures} of {row.rules.max_failures} it may have"],
        *([["unique", row.unique]] if row.unique else []),
        ["arguments", arguments],
    ]
    parts = ["\n".join(table(rows)), *(_attempt(each) for each in attempts)]
    return "\n\n".join(parts)


def arguments(body: bytes) -> str:
    """What it was submitted with, as it would be called; or why that is not shown."""
    try:
        args, kwargs = freight.call(body)
    except (PeerError, EnvironmentFault) as error:
        return f"{figures.size(len(body))}, not shown: {error}"
    shown = [*map(describe, args), *(f"{name}={describe(value)}" for name, value in kwargs.items())]
    return ", ".join(shown) or "none"


def _cells(row: JobRow) -> list[str]:
    return [
        str(row.seq),
        task_of(row),
        row.group,
        _state(row),
        str(row.failures),
        _when(row.submitted_at),
        _note(row),
    ]


def task_of(row: JobRow) -> str:
    """What is called, in words for people."""
    return {SCRIPT: "command line", ITEM: "item"}.get(row.task, row.task)


def _state(row: JobRow) -> str:
    word = "cancelling" if row.cancel and row.state == "running" else row.state
    return COLOURS.get(row.state, str)(word)


def _note(row: JobRow) -> str:
    """What is to be known besides: how far it is, why it failed, when it is due."""
    if row.state == "running" and row.progress is not None:
        numbers = {name: value for name, value in row.numbers.items() if isinstance(value, (int, float))}
        return figures.headway(row.progress, numbers)
    if row.after:
        return f"after {several(len(row.after))}: {_few(row.after)}"
    if row.state == "scheduled":
        again = f"   {row.cause}" if row.cause else ""
        return f"due {_when(row.run_at)}{again}"
    return "" if row.state == "done" else row.cause


def _few(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:FEW])) + (" ..." if len(numbers) > FEW else "")


def _attempt(each: Attempt) -> str:
    seconds = (each.ended_at - each.started_at) / 1000
    head = f"attempt {each.fence}   {each.outcome} after {figures.took(seconds)}   {_when(each.started_at)}"
    lines = [terminal.strong(head), *([f"environment {each.env}"] if each.env else [])]
    if each.error:
        lines.append(terminal.bad(f"{each.cause}: {each.error}" if each.cause else each.error))
    if each.traceback:
        lines.append(each.traceback.rstrip())
    if each.log:
        lines.append(terminal.dim(f"log: {each.log}"))
    return "\n".join(lines)


def _when(milliseconds: int | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime((milliseconds or 0) / 1000))
