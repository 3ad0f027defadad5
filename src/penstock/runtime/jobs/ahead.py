"""How many jobs a worker is given before it is through with the one in hand. A decision module.

One at a time is fair, and with jobs of a second it costs nothing. A job of 50 microseconds would leave its
worker waiting for the disk most of the time: so short ones are handed ahead, as many as are done within the
time a commit may take. Only what has begun can fail with its worker; the others are given back.
"""

from __future__ import annotations

from typing import Optional

SPAN = 0.02
"""Seconds of work that a worker may have before it."""
MOST = 128
WEIGHT = 0.2
"""Of the last job in the mean."""
LONG = 0.1
"""Seconds after which those behind a job are taken back: it is no short one, and others may be free."""


def mean(before: Optional[float], took: float) -> float:
    """What a job takes, ``before`` and now with one more; a longer one counts at once."""
    if before is None or took > before:
        return took
    return before + WEIGHT * (took - before)


def handed(mean: Optional[float]) -> int:
    """So many jobs a worker may have, the one in hand among them. ``mean``: seconds; ``None``: not known."""
    if mean is None:
        return 1
    return max(1, min(MOST, int(SPAN / max(mean, 1e-9))))
