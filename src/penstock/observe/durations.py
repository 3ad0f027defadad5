"""How long user code takes an item: a histogram on the status page, four buckets to each doubling.

    bucket 0      up to 128 ns
    bucket k      from 2^e (4 + q) / 4 ns on, where k = 4 (e - 7) + q, up to the next

So a bucket is at most a quarter wide, whatever its size, and what is read from it is wrong by an eighth at
most. (A list of samples would be exact, and would have to travel; buckets of two workers are added.) Known to
both processes: the worker counts, the supervisor reads.
"""

from __future__ import annotations

from typing import Any, Optional, Sequence

LEAST = 7
"""The exponent of the first bucket: below 128 ns it makes no difference what it was."""
BUCKETS = 4 * 36
"""Up to 2^43 ns, more than two hours."""


def bucket(ns: int) -> int:
    """Where a duration is counted."""
    exponent = ns.bit_length() - 1
    if exponent < LEAST:
        return 0
    return min(BUCKETS - 1, 4 * (exponent - LEAST) + (ns >> (exponent - 2) & 3))


def count(words: Any, at: int, items: int, ns: int) -> None:
    """``items`` took ``ns`` each: write that down in the histogram that begins at word ``at``."""
    words[at + bucket(ns)] += items


def middle(place: int) -> float:
    """What a duration counted in bucket ``place`` was, in ns, give or take an eighth."""
    exponent, quarter = divmod(place, 4)
    return (4 + quarter + 0.5) / 4 * 2.0 ** (exponent + LEAST)


def quantile(counts: Sequence[int], part: float) -> Optional[float]:
    """The duration in seconds below which ``part`` of the items were; None: nothing was counted."""
    left = sum(counts) * part
    if not left:
        return None
    for place, counted in enumerate(counts):
        left -= counted
        if left <= 0 and counted:
            return middle(place) / 1e9
    return middle(BUCKETS - 1) / 1e9
