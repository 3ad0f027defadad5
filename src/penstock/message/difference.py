"""In what two values differ, in one sentence."""

from __future__ import annotations

import decimal
import math
from typing import Any, Dict, NamedTuple, Sequence


class Tolerance(NamedTuple):
    """How far numbers may be apart and still count as equal: ``atol + rtol * |old|``."""

    rtol: float = 0.0
    atol: float = 0.0


EXACT = Tolerance()


def difference(old: Any, new: Any, within: Tolerance = EXACT, where: str = "") -> str:
    """The first difference, and where in the value it is; empty when they are equal. NaN equals NaN."""
    if type(old) is not type(new):
        return _at(where, f"{_name(old)} was, {_name(new)} is")
    if hasattr(old, "dtype") and hasattr(old, "shape") and not hasattr(old, "detach"):
        return (
            _at(where, _arrays(old, new, within)) if not hasattr(old, "equals") else _whole(old, new, where)
        )
    if isinstance(old, (float, complex)) or (isinstance(old, int) and not isinstance(old, bool)):
        return "" if _close(old, new, within) else _at(where, f"{old!r} was, {new!r} is")
    if isinstance(old, dict):
        return _dicts(old, new, within, where)
    if isinstance(old, (list, tuple)):
        return _sequences(old, new, within, where)
    return _whole(old, new, where, within)


def _dicts(old: Dict[Any, Any], new: Dict[Any, Any], within: Tolerance, where: str) -> str:
    for key in old:
        if key not in new:
            return _at(where, f"{key!r} is missing")
    for key in new:
        if key not in old:
            return _at(where, f"{key!r} is new")
    parts = (difference(old[key], new[key], within, f"{where}[{key!r}]") for key in old)
    return next(filter(None, parts), "")


def _sequences(old: Sequence[Any], new: Sequence[Any], within: Tolerance, where: str) -> str:
    if len(old) != len(new):
        return _at(where, f"{len(old)} parts were, {len(new)} are")
    parts = (difference(a, b, within, f"{where}[{index}]") for index, (a, b) in enumerate(zip(old, new)))
    return next(filter(None, parts), "")


def _close(old: Any, new: Any, within: Tolerance) -> bool:
    if old == new or (old != old and new != new):  # noqa: PLR0124  NaN
        return True
    try:
        return any(within) and abs(old) != math.inf and abs(old - new) <= within.atol + within.rtol * abs(old)
    except OverflowError:  # an integer beyond all floats is equal or it is not
        return False


def _arrays(old: Any, new: Any, within: Tolerance) -> str:
    """Of two NumPy arrays or scalars."""
    if old.shape != new.shape:
        return f"shape {old.shape} was, {new.shape} is"
    if old.dtype != new.dtype:
        return f"dtype {old.dtype} was, {new.dtype} is"
    import numpy

    if old.dtype.kind not in "biufc":
        return "" if old.tobytes() == new.tobytes() else f"contents of {old.dtype} differ"
    wide = "c16" if old.dtype.kind == "c" else "f8"
    same = (old == new) | ((old != old) & (new != new))  # noqa: PLR0124  NaN
    if any(within):
        same |= numpy.isclose(new, old, rtol=within.rtol, atol=within.atol, equal_nan=True)
    if numpy.all(same):
        return ""
    apart = numpy.abs(new.astype(wide) - old.astype(wide))[~same]
    return f"{apart.size:,} of {old.size:,} elements differ, by {numpy.max(apart):g} at most"


def _whole(old: Any, new: Any, where: str, within: Tolerance = EXACT) -> str:
    """Of values of a library, and of all that has no parts to name."""
    if hasattr(old, "detach"):  # a tensor
        return difference(old.detach().cpu().numpy(), new.detach().cpu().numpy(), within, where)
    if hasattr(old, "equals"):  # pandas, Arrow
        return "" if old.equals(new) else _at(where, f"the two {_name(old)} differ")
    # A Decimal's NaN is like no other, or refuses to be asked.
    same = str(old) == str(new) if isinstance(old, decimal.Decimal) else old == new
    if same:
        return ""
    text = [repr(each) if len(repr(each)) <= 60 else f"{repr(each)[:57]}..." for each in (old, new)]
    return _at(where, f"{text[0]} was, {text[1]} is")


def _name(value: Any) -> str:
    return type(value).__name__


def _at(where: str, what: str) -> str:
    return f"{where}: {what}" if where and what else what
