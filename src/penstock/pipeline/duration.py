"""Times as people write them: always with a unit, because a bare number is the classic mistake."""

from __future__ import annotations

import datetime
import re
from typing import Union

from penstock.errors import UserError

Duration = Union[str, datetime.timedelta]

LONGEST = 100 * 365.25 * 86_400
"""Seconds: a hundred years. Whoever says more has slipped."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class WrongTime(UserError, ValueError):
    """That is not how a time is written."""


def seconds(value: object) -> float:
    """``"250ms"``, ``"2s"``, ``"1.5m"``, ``"1h"``, ``"2d"`` or a timedelta, in seconds.

    Raises:
        WrongTime: anything else; a number without a unit is told so; more than a hundred years.
    """
    if isinstance(value, datetime.timedelta):
        return _checked(value.total_seconds(), value)
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        is_number = not isinstance(value, bool) and _NUMBER.fullmatch(str(value))
        hint = f"; did you mean '{value}s'?" if is_number else ""
        raise WrongTime(
            f"{value!r} is not a time; write it with a unit, like '250ms', '30s', '5m' or '2h'{hint}"
        )
    return _checked(float(found[1]) * _UNITS[found[2]], value)


def _checked(found: float, value: object) -> float:
    if found > LONGEST:
        raise WrongTime(f"{str(value)[:80]!r} is more than a hundred years; say a shorter time")
    return found
