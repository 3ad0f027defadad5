"""In the worker of a service: the Context that its code gets."""

from __future__ import annotations

import logging
from typing import Any, Callable, Optional, Sequence

from penstock.errors import WiringError
from penstock.pipeline.context import Context, read_only
from penstock.runtime.control import Assignment
from penstock.runtime.worker.calls.counter import Asked


class CallContext(Context):
    """Looks at the calls in hand only when asked."""

    def __init__(self, assignment: Assignment, stopping: Callable[[], bool]) -> None:
        self.replica = assignment.replica
        self.replicas = assignment.replicas
        self.config = read_only(assignment.config)
        self.log = logging.getLogger(f"penstock.{assignment.stage}")
        self.hand: Sequence[Asked] = ()
        """The calls that user code works on now."""
        self._label = assignment.label
        self._stopping = stopping

    @property
    def id(self) -> str:  # type: ignore[override]
        """The id of the call in hand; the replica's name where there is none."""
        return self.hand[0].id if self.hand else self._label

    @property
    def attempt(self) -> int:  # type: ignore[override]
        """1, and one more for each replica that was lost with it."""
        return max((each.attempt for each in self.hand), default=1)

    @property
    def cancelled(self) -> bool:  # type: ignore[override]
        """Whether nobody waits for what is in hand."""
        return bool(self.hand) and all(each.is_late() for each in self.hand)

    @property
    def stopping(self) -> bool:  # type: ignore[override]
        """Whether this replica is to end."""
        return self._stopping()

    def emit(self, port: str, value: Any, *, of: Optional[int] = None) -> None:
        """A service has no outputs.

        Raises:
            WiringError: always.
        """
        raise WiringError("a service has no ports: it answers by what it returns")

    def progress(self, done: float, total: Optional[float] = None, /, **numbers: float) -> None:
        """Nobody is told: whoever calls waits for the answer."""
