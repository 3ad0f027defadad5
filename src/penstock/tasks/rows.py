"""The rows of a store as the records of ``job``, and back."""

from __future__ import annotations

import json
from typing import Any, Sequence, Tuple

import msgspec

from penstock.tasks.job import Claim, JobRow, Rules
from penstock.tasks.settle import Closing, Done, Ended, Failed, Returned

WORDS = {Done: "done", Failed: "failed", Returned: "returned", Ended: "cancelled"}
"""What an attempt is said to have come to."""

rules = msgspec.msgpack.Decoder(Rules).decode


def claim(row: Sequence[Any]) -> Claim:
    """One that ``statements.CLAIM`` returns."""
    values = list(row[:12])
    values[7] = rules(values[7])
    return Claim(*values)


def job(row: Sequence[Any]) -> JobRow:
    """One of ``statements.COLUMNS``."""
    values = list(row)
    values[15] = json.loads(values[15])
    values[16] = bool(values[16])
    values[21] = rules(values[21])
    values[23] = json.loads(values[23])
    return JobRow(*values)


def attempt(closing: Closing, started_at: int, now: int) -> Tuple[Any, ...]:
    """For ``statements.ATTEMPT``."""
    outcome = closing.outcome
    cause, error, traceback = "", getattr(outcome, "why", ""), ""
    if isinstance(outcome, Failed):
        cause, error, traceback = outcome.cause, outcome.error, outcome.traceback
    who = (closing.id, closing.fence, closing.worker, closing.pid, started_at, now)
    return (*who, WORDS[type(outcome)], cause, error, traceback, closing.log, closing.tail, closing.env)
