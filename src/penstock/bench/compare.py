"""What became slower since an older document, beyond noise.

Compared are ratios, not raw speeds: the peer was measured in the same minutes on the same machine, so
a slower machine slows both and the ratio stays. (Where there is no peer the ratio is that to a fixed
target, and documents of different machines compare machines.)
"""

from __future__ import annotations

from collections.abc import Iterable
from math import hypot, sqrt
from statistics import median
from typing import Literal

import msgspec

from penstock.bench.result import Document, Result

FLOOR = 0.10
"""A change of a tenth is never called one: two runs of the same code differ that much on a busy machine."""
UNKNOWN = 0.5
"""The noise assumed of fewer than three runs, whose spread says nothing: only a halving counts."""
ERRORS = 3.0
"""How many standard errors of the difference a change must exceed."""

Verdict = Literal["regressed", "improved", "same", "new", "gone"]
Key = tuple[str, str, str | None]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """How one entry compares with its older self."""

    key: Key
    """Case, unit and peer."""
    before: float | None
    after: float | None
    """Ratios; above 1 is better for us."""
    tolerance: float
    """Relative; what is within it counts as the same."""
    verdict: Verdict


def compare(old: Document, new: Document) -> list[Change]:
    """Every entry of either document, in the order of the new one."""
    before, after = _by_key(old.results), _by_key(new.results)
    return [_change(key, before.get(key), after.get(key)) for key in {**after, **before}]


def _by_key(results: Iterable[Result]) -> dict[Key, Result]:
    return {(result.case, result.unit, result.peer_name): result for result in results}


def _change(key: Key, old: Result | None, new: Result | None) -> Change:
    tolerance = max(FLOOR, ERRORS * hypot(noise(old), noise(new))) if old and new else 0.0
    return Change(
        key=key,
        before=old.ratio if old else None,
        after=new.ratio if new else None,
        tolerance=tolerance,
        verdict=_verdict(old, new, tolerance),
    )


def _verdict(old: Result | None, new: Result | None, tolerance: float) -> Verdict:
    if new is None:
        return "gone"
    if old is None or old.ratio is None:
        return "new"
    if new.ratio is None or new.ratio * (1 + tolerance) < old.ratio:
        return "regressed"  # what could be run and no longer can has regressed as well
    return "improved" if new.ratio > old.ratio * (1 + tolerance) else "same"


def noise(result: Result) -> float:
    """The relative standard error of the median ratio, from the spread of the raw pairs."""
    ratios = [ours / peer if peer else ours for ours, peer in result.runs]
    if len(ratios) < 3:
        return UNKNOWN / ERRORS
    middle = median(ratios)
    # 1.4826 x the median absolute deviation estimates sigma and ignores one run that went astray;
    # a median's standard error is 1.2533 sigma / sqrt(n).
    sigma = 1.4826 * median(abs(ratio - middle) for ratio in ratios) / middle
    return 1.2533 * sigma / sqrt(len(ratios))
