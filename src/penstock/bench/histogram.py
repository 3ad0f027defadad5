"""A histogram of high dynamic range: a spread of numbers from 1 to 2^63, each right to 0.4 %, in some KB.

    0 to 255                 a bucket each
    2^e * (128 + q)          and up to the next, from e = 1 on: 128 buckets to each doubling

(The one on status pages, ``observe.durations``, is wrong by an eighth at most, as it has 144 words for
everything. Two sockets that are to differ by less than a fifth could not be told apart by it.)
"""

from __future__ import annotations

from collections import Counter
from math import ceil

FINE = 7
"""Binary digits that are kept behind the first."""
WHOLE = 2 << FINE
"""Numbers below that are a bucket each."""


def bucket(value: int) -> int:
    """Where ``value``, which is not negative, is counted."""
    shift = value.bit_length() - FINE - 1
    return value if shift <= 0 else (shift << FINE) + (value >> shift)


def middle(place: int) -> float:
    """What is counted in that bucket, give or take 0.4 %."""
    if place < WHOLE:
        return float(place)
    shift = (place >> FINE) - 1
    low = (place - (shift << FINE)) << shift
    return low + ((1 << shift) - 1) / 2


class Histogram:
    """Counts numbers, and tells which one a share of them do not exceed."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._counts: Counter[int] = Counter()

    def count(self, value: int) -> None:
        """Take in one number; what is negative counts as 0."""
        self._counts[bucket(max(0, value))] += 1

    def __len__(self) -> int:
        return self._counts.total()

    def quantile(self, part: float) -> float:
        """The least number that ``part`` of all (0 to 1) do not exceed.

        Raises:
            ValueError: nothing was counted.
        """
        left = max(1, ceil(part * len(self)))
        for place in sorted(self._counts):
            left -= self._counts[place]
            if left <= 0:
                return middle(place)
        raise ValueError("nothing was counted")

    def spread(self) -> dict[str, float]:
        """Percentiles by name, of nanoseconds in microseconds."""
        return {name: self.quantile(part) / 1e3 for name, part in PERCENTILES.items()}


PERCENTILES = {"us p50": 0.5, "us p90": 0.9, "us p99": 0.99, "us p99.9": 0.999}
