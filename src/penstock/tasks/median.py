"""Which trials of a study are not worth their time any more: the median rule. A decision module.

A trial is stopped if the best that it has reported is worse than the median of the best that others had
reported when they were as far. (Golovin et al., Google Vizier, 2017, section 3.2.1, has it with running
averages; Optuna's MedianPruner with the best, as here.) It needs no assumption about curves, and stops about
half of what is worse than that.
"""

from __future__ import annotations

import math
import statistics
from typing import Literal, Optional, Sequence, Tuple

Mode = Literal["min", "max"]
Curve = Sequence[Tuple[float, float]]
"""What a trial has reported: how far it was, from 0 to 1, and its value then; in this order."""

LEAST = 4
"""Others that have come as far: with fewer there is nothing to compare with."""


def better(mode: Mode) -> int:
    """By what values are multiplied, so that less is better."""
    return 1 if mode == "min" else -1


def loses(curve: Curve, others: Sequence[Curve], mode: Mode) -> bool:
    """Whether a trial that has reported ``curve`` is to be stopped."""
    if not curve or curve[-1][0] >= 1:
        return False
    far = curve[-1][0]
    reached = [best for each in others if (best := _best(each, far, mode)) is not None]
    mine = _best(curve, far, mode)
    return mine is not None and len(reached) >= LEAST and mine > statistics.median(reached)


def _best(curve: Curve, far: float, mode: Mode) -> Optional[float]:
    """The best up to there, less is better; ``None``: it has not come as far, or nobody has seen it there."""
    if not curve or curve[-1][0] < far:
        return None
    values = [math.inf if math.isnan(value) else better(mode) * value for part, value in curve if part <= far]
    return min(values, default=None)
