"""What was found when a broker was looked at: a subject, a verdict, a sentence, and what to do about it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Verdict = Literal["good", "doubtful", "bad"]


class Remark(NamedTuple):
    """One thing that was looked at."""

    subject: str
    verdict: Verdict
    """``doubtful``: it works, but."""
    text: str
    cure: str = ""
    """What to do, where something must be done."""
