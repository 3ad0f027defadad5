"""Which ids were there already, in little memory. A decision module: no input or output, no clock."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Dict, List, Tuple


class Known:
    """Ids, kept as runs of neighbours: all that one replica of a source has made in order is one run."""

    def __init__(self) -> None:
        self._runs: Dict[str, Tuple[List[int], List[int]]] = {}
        """By origin: the first numbers of the runs, and those behind their last; gaps lie between them."""

    def add(self, origin: str, first: int, count: int) -> List[range]:
        """Know ``origin:first`` and those behind it; the numbers of them that are new, in order."""
        begins, ends = self._runs.setdefault(origin, ([], []))
        end = first + count
        low, high = bisect_left(ends, first), bisect_right(begins, end)  # the runs it touches
        new, at = [], first
        for begin, behind in zip(begins[low:high], ends[low:high]):
            if at < begin:
                new.append(range(at, begin))
            at = max(at, behind)
        if at < end:
            new.append(range(at, end))
        if low < high:
            first, end = min(first, begins[low]), max(end, ends[high - 1])
        begins[low:high], ends[low:high] = [first], [end]
        return new
