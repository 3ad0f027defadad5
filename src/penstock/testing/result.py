"""What a pipeline did in a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from penstock.errors import UserError
from penstock.message.letter import Letter
from penstock.pipeline.nearest import nearest
from penstock.runtime.supervisor.account import LinkCount, Totals


class Dead(NamedTuple):
    """One item that could not be done, as its dead letter says."""

    id: str
    """``camera/0:17``."""
    stage: str
    """Which stage could not do it."""
    cause: str
    """One line: the exception, or the reason of a ``Reject``."""
    value: Any
    attempts: int
    """How often it was delivered."""
    failures: int
    traceback: str


class Delivery(NamedTuple):
    """One call of user code with one item."""

    stage: str
    id: str
    attempt: int
    """1 at the first delivery."""
    at: float
    """Seconds since the beginning, on the test's clock: only waiting puts it forward."""


class Result:
    """What a pipeline did with the items of a test.

    Attributes:
        sinks: What each sink and each subscriber has taken without raising, in this order, by its name:
            copies, as it got them. ``result["save"]`` is the same as ``result.sinks["save"]``.
        dead: The items that could not be done, in the order in which they were given up.
        deliveries: Every call of a stage or sink with an item, in order.
        ledger: What became of the items of each link, by its name (``"camera→detect"``).
        totals: The same for the whole pipeline in one line.
        published: Topics and values of ``ctx.publish``, in order.
        took: Seconds that have passed on the test's clock.
    """

    def __init__(
        self,
        *,
        sinks: Mapping[str, list[Any]],
        dead: Sequence[Dead],
        deliveries: Sequence[Delivery],
        ledger: Mapping[str, LinkCount],
        totals: Totals,
        took: float,
        published: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self.sinks = dict(sinks)
        self.dead = list(dead)
        self.deliveries = list(deliveries)
        self.ledger = dict(ledger)
        self.totals = totals
        self.took = took
        self.published = list(published)

    def __getitem__(self, sink: str) -> list[Any]:
        """What the sink of that name has taken.

        Raises:
            UserError: there is no such sink; says the nearest.
        """
        if sink not in self.sinks:
            raise UserError(f"there is no sink {sink!r}{nearest(sink, self.sinks)}")
        return self.sinks[sink]

    @property
    def attempts(self) -> dict[str, dict[str, int]]:
        """How often each item was delivered: by stage, then by the item's id."""
        found: dict[str, dict[str, int]] = {}
        for each in self.deliveries:
            found.setdefault(each.stage, {})[each.id] = each.attempt
        return found

    def __repr__(self) -> str:
        got = ", ".join(f"{name} {len(values)}" for name, values in self.sinks.items())
        return f"<result {got}, dead {len(self.dead)}>"


def dead(letter: Letter, *, allow_pickle: bool) -> Dead:
    """A dead letter with its value."""
    return Dead(
        id=letter.id,
        stage=letter.stage,
        cause=letter.cause,
        value=letter.value(allow_pickle=allow_pickle),
        attempts=letter.attempts,
        failures=letter.failures,
        traceback=letter.traceback,
    )
