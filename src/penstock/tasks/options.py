"""The knobs of one task, checked, and that they go together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, List, Mapping, Optional

from penstock.errors import WiringError
from penstock.pipeline.place import Place
from penstock.tasks.checks import check
from penstock.tasks.job import Rules
from penstock.tasks.knobs import Knobs, Unique, When
from penstock.tasks.schedule import UTC, Schedule

DECLARED = list(Knobs.__annotations__)
SUBMITTED = list(When.__annotations__)


@dataclass(frozen=True)
class Options:
    """The knobs of one task, checked; times in seconds."""

    name: Optional[str] = None
    group: str = "default"
    max_failures: int = 3
    timeout: Optional[float] = None
    retry_on: tuple[str, ...] = ()
    backoff: float = 1.0
    max_backoff: float = 600.0
    unique: Unique = False
    priority: int = 0
    env: str = ""
    isolate: bool = False
    gpus: int = 0
    every: float = 0.0
    cron: str = ""
    timezone: str = ""
    grace: float = 10.0
    delay: float = 0.0
    at: Optional[int] = None
    """Milliseconds since 1970."""

    def with_knobs(self, knobs: Mapping[str, Any], place: Place, allowed: List[str]) -> Options:
        """These options with some of them chosen anew.

        Raises:
            WiringError: no such knob (says the nearest), none here, not a possible value, or two that do not
                go together.
        """
        try:
            chosen = replace(self, **{knob: check(knob, value, allowed) for knob, value in knobs.items()})
        except ValueError as error:
            raise WiringError(str(error), str(place)) from None
        if chosen.delay and chosen.at is not None:
            raise WiringError("delay= says how long from now and at= says when; say one of them", str(place))
        if chosen.every and chosen.cron:
            raise WiringError("every= and cron= both say when it is called; say one of them", str(place))
        if chosen.timezone and not chosen.cron:
            raise WiringError("timezone= says whose clocks cron= means; there is no cron=", str(place))
        return chosen

    @property
    def schedule(self) -> Optional[Schedule]:
        """When it is called by itself; ``None``: never."""
        if not (self.every or self.cron):
            return None
        return Schedule(round(self.every * 1000), self.cron, self.timezone or UTC)

    @property
    def rules(self) -> Rules:
        """What of them goes with each job."""
        return Rules(
            max_failures=self.max_failures,
            timeout=self.timeout,
            backoff=self.backoff,
            longest=self.max_backoff,
            retry_on=list(self.retry_on),
            isolate=self.isolate,
            gpus=self.gpus,
            grace=self.grace,
        )

    def run_at(self, now: int) -> int:
        """When a job submitted at ``now`` may be begun; both in milliseconds since 1970."""
        return self.at if self.at is not None else now + round(self.delay * 1000)
