"""What could not be done, an item of a pipeline or a job, as people and programs read of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from penstock.cli import terminal
from penstock.cli.table import table

if TYPE_CHECKING:
    from penstock.message.letter import Letter
    from penstock.tasks.job import JobRow
    from penstock.tasks.letters import Filed

HEADER = ("KIND", "ITEM", "STAGE", "FAILURES", "DIED", "CAUSE")


class Casualty(NamedTuple):
    """One that is dead."""

    kind: Literal["item", "job"]
    name: str
    """By which it is called in commands: of an item, that of its letter; of a job, its number."""
    id: str
    pipeline: str
    """Empty: it is a job."""
    stage: str
    """The stage that could not do it; of a job, its group."""
    task: str
    """Empty: it is an item."""
    link: str
    """By which the item came."""
    attempts: int
    failures: int
    cause: str
    traceback: str
    """Of an item. Those of a job's attempts are shown with it."""
    when: float
    """Seconds since 1970."""
    requeued: bool = False
    """It was put back, and is not over."""

    def fields(self) -> dict[str, object]:
        """For a JSON document."""
        return self._asdict()

    @property
    def shown(self) -> str:
        """What stands for it in a list."""
        return self.id if self.kind == "item" else self.name

    @property
    def where(self) -> str:
        """Who could not do it."""
        return f"{self.stage}/{self.task}" if self.task else self.stage


def of_letter(found: Filed) -> Casualty:
    """An item whose letter is in the store."""
    return Casualty(kind="item", id=found.item, task="", **_alike(found), name=found.name, when=found.died)


def of_returning(path: Path, found: Letter) -> Casualty:
    """An item that was put back: its letter lies in a file until it is over."""
    alike = _alike(found)
    return Casualty(
        kind="item", id=found.id, task="", **alike, name=path.stem, when=found.when, requeued=True
    )


def _alike(found: Filed | Letter) -> dict[str, Any]:
    names = ("pipeline", "stage", "link", "attempts", "failures", "cause", "traceback")
    return {name: getattr(found, name) for name in names}


def of_job(row: JobRow) -> Casualty:
    """A job that is dead."""
    from penstock.cli.jobview import task_of

    task = task_of(row)
    when = (row.finished_at or 0) / 1000
    return Casualty(
        "job", str(row.seq), row.id, "", row.group, task, "", row.fence, row.failures, row.cause, "", when
    )


def listing(found: Sequence[Casualty]) -> list[str]:
    """A line for each; where some were put back, with a word for which."""
    rows, header = [_row(each) for each in found], list(HEADER)
    if any(each.requeued for each in found):
        header.insert(-1, "NOW")
        for row, each in zip(rows, found, strict=True):
            row.insert(-1, "requeued" if each.requeued else "dead")
    return table(rows, header, right=[3])


def about(found: Casualty, content: str) -> str:
    """An item with what is in it, for people."""
    rows = [
        ["item", terminal.strong(found.id)],
        ["stage", f"{found.stage}   by {found.link}"],
        ["died", f"{_when(found)}, after {found.failures} failures in {found.attempts} deliveries"],
        ["cause", terminal.bad(found.cause)],
        *([["now", "requeued"]] if found.requeued else []),
        ["letter", found.name],
    ]
    parts = ["\n".join(table(rows)), found.traceback.rstrip(), f"{terminal.strong('value')}   {content}"]
    return "\n\n".join(part for part in parts if part)


def several(found: Sequence[Any]) -> str:
    """How many dead letters."""
    return f"{len(found)} dead letter{'' if len(found) == 1 else 's'}"


def _row(each: Casualty) -> list[str]:
    failures = str(each.failures)
    return [each.kind, each.shown, each.where, failures, _when(each), terminal.bad(each.cause)]


def _when(each: Casualty) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each.when))
