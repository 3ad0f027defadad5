"""How far one link has told what becomes of the ids of one source. A decision module: no sockets, no clock.

Ids are a tree: ``17`` is what the source made, ``17:2`` the third thing yielded from it. A path is an id
without its root, as numbers: ``(17, 2)``; in the order of tuples everything is in the order in which the
source made it. An id is *told* when it has arrived or was passed. Where something was made from it, all of
that has to be told, and how much that is ("nothing from ``17:3`` on").

The course stands at the first path that is not told. What comes out of turn is kept until it gets there, as
runs.
"""

from __future__ import annotations

import heapq
from typing import Dict, List, Optional, Tuple

Path = Tuple[int, ...]

END = 1 << 62
"""More numbers than there are."""


class _Node:
    """What is told out of turn of the children of one path."""

    __slots__ = ("runs", "wanted")

    def __init__(self) -> None:
        self.runs: List[Tuple[int, int]] = []
        """First number, and the one behind the last; a heap."""


class Course:
    """The ids of one root on one link."""

    def __init__(self, at: Path = (0,)) -> None:
        self.at = at
        """Everything before it is told; it is not."""
        self._nodes: Dict[Path, _Node] = {}

    def tell(self, prefix: Path, first: int, end: int) -> None:
        """``prefix + (first,)`` up to but not ``prefix + (end,)`` are told."""
        at, depth = self.at, len(prefix)
        if (*prefix, end) <= at:
            return
        if len(at) > depth and at[:depth] == prefix and first <= at[depth]:
            # The usual case: in turn. Also a whole of which parts are told: nothing more comes of it.
            self._forget(at[: depth + 1])
            self.at = (*prefix, end)
            self._advance()
            return
        node = self._nodes.get(prefix)
        if node is None:
            node = self._nodes[prefix] = _Node()
            self._expand(prefix)
        heapq.heappush(node.runs, (first, end))
        self._advance()

    def finish(self) -> None:
        """Nothing more is awaited."""
        self.at = (END,)
        self._nodes.clear()

    def _expand(self, prefix: Path) -> None:
        """Something was made from ``prefix`` and from each path above it: they get nodes."""
        for depth in range(len(prefix) - 1, -1, -1):
            if prefix[:depth] in self._nodes:
                break
            self._nodes[prefix[:depth]] = _Node()

    def _forget(self, path: Path) -> None:
        """What is known below ``path`` matters no more."""
        if path in self._nodes:
            for known in [known for known in self._nodes if known[: len(path)] == path]:
                del self._nodes[known]

    def _advance(self) -> None:
        """Stand at the first path that is not told."""
        nodes = self._nodes
        while True:
            prefix, number = self.at[:-1], self.at[-1]
            node = nodes.get(prefix)
            reached = None if node is None else _reach(node.runs, number)
            if reached is not None:
                self._forget(self.at)
                self.at = (*prefix, reached)
            elif self.at in nodes:
                self.at += (0,)
            elif number >= END and prefix:
                nodes.pop(prefix, None)
                self.at = (*prefix[:-1], prefix[-1] + 1)
            else:
                return


def _reach(runs: List[Tuple[int, int]], number: int) -> Optional[int]:
    """How far the runs lead on from ``number``; None: not at all. What is behind is taken out."""
    reached = number
    while runs and runs[0][0] <= reached:
        reached = max(reached, heapq.heappop(runs)[1])
    return reached if reached > number else None
