"""What becomes of a job when an attempt has come to an end. A decision module.

Crashes, exceptions and time-outs count together, against one limit; being given back (its worker drains, the
machine restarts) counts for nothing.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, Optional, Sequence, Union

import msgspec

from penstock.pipeline.duration import LONGEST
from penstock.tasks.job import Cause, Rules, State


class Done(msgspec.Struct, frozen=True, omit_defaults=True, tag="done"):
    """It has given its result."""

    result: bytes = b""
    """A body of ``message.codec`` with one value."""
    path: str = ""
    """The file that holds it instead, where it is too large for the store."""


class Failed(msgspec.Struct, frozen=True, omit_defaults=True, tag="failed"):
    """It has not."""

    cause: Cause
    error: str
    """One line."""
    kinds: Sequence[str] = ()
    """If it was an exception: the names by which that is known (``kind.names``)."""
    traceback: str = ""
    after: Optional[Annotated[float, msgspec.Meta(le=LONGEST)]] = None
    """Seconds after which it asked to be tried again."""


class Returned(msgspec.Struct, frozen=True, omit_defaults=True, tag="returned"):
    """It was not let finish, through no fault of its own, or never begun."""

    why: str = ""
    begun: bool = True


class Ended(msgspec.Struct, frozen=True, omit_defaults=True, tag="cancelled"):
    """It was cancelled, and its processes are gone."""


Outcome = Union[Done, Failed, Returned, Ended]


class Closing(NamedTuple):
    """The end of an attempt, to be written down."""

    id: str
    fence: int
    outcome: Outcome
    worker: str = ""
    pid: int = 0
    log: str = ""
    tail: str = ""
    due: int = 0
    """When the next attempt may begin (ms since 1970), as who ran this one has decided; 0: nobody has."""
    wrote: bool = True
    """It may have made its own directory."""
    env: str = ""
    """The hash of the environment that it ran in, if its group has named one."""


class Standing(msgspec.Struct, frozen=True):
    """A running job, as the store has it."""

    failures: int
    preemptions: int
    cancel: bool
    rules: Rules


class Finish(msgspec.Struct, frozen=True):
    """It is ``done``, ``dead`` or ``cancelled``."""

    state: State
    failures: int


class Again(msgspec.Struct, frozen=True):
    """It waits for another attempt."""

    after: float
    """Seconds; 0: at once."""
    failures: int
    preemptions: int


Verdict = Union[Finish, Again]

PERMANENT = ("rejected", "unusable")


def verdict(standing: Standing, outcome: Outcome, jitter: float) -> Verdict:
    """What becomes of it. ``jitter`` from 0 to 1: many that failed together are not to come back together."""
    failures, preemptions = standing.failures, standing.preemptions
    if isinstance(outcome, Done):
        return Finish("done", failures)
    if isinstance(outcome, Ended):
        return Finish("cancelled", failures)
    if isinstance(outcome, Returned):
        if standing.cancel:
            return Finish("cancelled", failures)
        return Again(0.0, failures, preemptions + outcome.begun)
    failures += 1
    if standing.cancel:
        return Finish("cancelled", failures)
    if failures > standing.rules.max_failures or not _is_worth_it(standing.rules, outcome):
        return Finish("dead", failures)
    return Again(pause(standing.rules, failures, outcome.after, jitter), failures, preemptions)


def pause(rules: Rules, failures: int, after: Optional[float], jitter: float) -> float:
    """Seconds before the next attempt, after so many failures. It asked for ``after``: that, exactly."""
    if after is not None:
        return max(0.0, after)
    doubled = min(rules.longest, rules.backoff * 2.0 ** min(failures - 1, 62))
    return doubled * (1.0 + 0.25 * jitter)


def _is_worth_it(rules: Rules, failed: Failed) -> bool:
    if failed.cause in PERMANENT:
        return False
    return not rules.retry_on or any(word in rules.retry_on for word in (failed.cause, *failed.kinds))
