"""One trial of a study: a job, its arguments, and how good it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Generic, Optional, TypeVar

from penstock.errors import UserError
from penstock.tasks.handle import Job
from penstock.tasks.job import LIVE, JobRow

R = TypeVar("R")

STOPPED = "stopped early: others were better when they were as far"
"""The cause of a job that was."""


@dataclass(frozen=True)
class Trial(Generic[R]):
    """As it stands now."""

    number: int
    """From 0."""
    params: Dict[str, Any]
    """Its arguments."""
    job: Job[R]
    state: str
    """That of its job; ``stopped``: it was, as it was losing."""
    value: Optional[float]
    """Of its result; while there is none, what it has reported last; ``None``: nothing."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state not in LIVE


def state_of(row: JobRow) -> str:
    """That of a trial."""
    return "stopped" if row.state == "cancelled" and row.cause == STOPPED else row.state


def reported(row: JobRow, metric: Optional[str]) -> Optional[float]:
    """The value that its job has said by ``ctx.progress``."""
    value = row.numbers.get(metric) if metric else None
    return _number(value)


def value_of(result: Any, metric: Optional[str], task: str) -> float:
    """The value of a result: what it calls so, or itself, if it is a number.

    Raises:
        UserError: it is none, and has none.
    """
    inside = result.get(metric) if isinstance(result, dict) else getattr(result, metric or "", None)
    found = _number(result if _number(result) is not None else inside)
    if found is not None:
        return found
    if metric is None:
        raise UserError(f"what {task} returns is no number: say metric=, the name of one in it")
    known = f"; it has {', '.join(map(str, result))}" if isinstance(result, dict) and result else ""
    raise UserError(f"what {task} returns has no number {metric!r}{known}")


def _number(value: Any) -> Optional[float]:
    """It, if it is one."""
    is_one = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_one else None
