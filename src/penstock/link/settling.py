"""Which batches of an ordered stage may be settled: those before which everything is. A decision module.

Were a batch settled as soon as it is done, then after a death of the stage some of what it had got would come
again and some not, and nobody could tell the second from what is still to come. Settled from the front, all
behind one place comes again, items and passed ids, and nothing before it: the *floor*, all that a successor
has to know.
"""

from __future__ import annotations

import heapq
import itertools
from typing import Any, Callable, Dict, List, Tuple

from penstock.link.course import Path
from penstock.link.sequence import Span


class _Batch:
    """One that is not settled."""

    __slots__ = ("done", "roots", "token")

    def __init__(self, token: Any, spans: Dict[str, Tuple[Path, Path]]) -> None:
        self.token = token
        self.roots = spans
        """Where its ids stand, by root; of each that has not been reached."""
        self.done = False


class Settling:
    """The batches that came and are not settled."""

    def __init__(self, floor: Callable[[str], Path]) -> None:
        """``floor(root)``: before this, everything is known and begun."""
        self._floor = floor
        self._serials = itertools.count()
        self._open: Dict[str, List[Tuple[Path, int, _Batch]]] = {}
        self._done: Dict[str, List[Tuple[Path, int, _Batch]]] = {}
        self._free: List[Any] = []
        self.batches: Dict[int, _Batch] = {}
        """By the identity of their tokens."""

    def open(self, token: Any, spans: List[Span]) -> None:
        """It has come."""
        roots: Dict[str, Tuple[Path, Path]] = {}
        for root, first, last in spans:
            known = roots.get(root)
            roots[root] = (first, last) if known is None else (min(known[0], first), max(known[1], last))
        batch = self.batches[id(token)] = _Batch(token, roots)
        for root, (first, _) in roots.items():
            heapq.heappush(self._open.setdefault(root, []), (first, next(self._serials), batch))

    def done(self, token: Any) -> None:
        """Everything in it is done, and what was made from it settled."""
        batch = self.batches[id(token)]
        batch.done = True
        for root, (_, last) in batch.roots.items():
            heapq.heappush(self._done.setdefault(root, []), (last, next(self._serials), batch))
        if not batch.roots:
            self._free.append(token)
            del self.batches[id(token)]

    def floor(self, root: str) -> Path:
        """Before this nothing comes again."""
        waiting = self._open.get(root, [])
        while waiting and waiting[0][2].done:
            heapq.heappop(waiting)
        floor = self._floor(root)
        return min(floor, waiting[0][0]) if waiting else floor

    def ripe(self) -> Tuple[List[Any], Dict[str, Path]]:
        """What may be settled now, and the floors to be known before that is said."""
        ripe, self._free = self._free, []
        floors: Dict[str, Path] = {}
        for root, done in self._done.items():
            if not done:
                continue
            floor = self.floor(root)
            while done and done[0][0] < floor:
                floors[root] = floor
                batch = heapq.heappop(done)[2]
                del batch.roots[root]
                if not batch.roots:
                    ripe.append(batch.token)
                    del self.batches[id(batch.token)]
        return ripe, floors
