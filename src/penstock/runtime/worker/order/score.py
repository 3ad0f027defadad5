"""In which order recorded items are played where somebody takes them in order, and which ids are passed. A
decision module.

Each root is played in the order of its ids, and roots beside each other by the clock. The order is the same
for all who play something of one recording, on whatever links: so of all that is not settled the first is
never held back by what stands behind it, and nobody waits in a circle.
"""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, Mapping, Tuple

from penstock.link.course import END, Path

Times = Dict[str, Dict[Path, int]]
"""Of each root and id, when something happened with it."""
Passed = Tuple[str, int, int]
"""Origin, first number, how many; 0: all from there on."""


def turns(sent: Mapping[str, Mapping[Path, int]]) -> Times:
    """When the turn of each id is: as it went out, but not before one that stands before it."""
    found: Times = {}
    for root, times in sent.items():
        latest = 0
        turn = found[root] = {}
        for path in sorted(times):
            turn[path] = latest = max(latest, times[path])
    return found


class Gaps:
    """What was not recorded of one root on one link."""

    def __init__(self, root: str, paths: Iterable[Path]) -> None:
        """``paths``: what was."""
        self._root = root
        self._paths = iter(sorted(paths))
        self._at: Path = (-1,)

    def next(self) -> Iterator[Passed]:
        """What is passed between the item that was played last and the next one; at first what is before the
        first, at last all that is behind the last."""
        before, self._at = self._at, next(self._paths, (END,))
        return between(self._root, before, self._at)

    def rest(self) -> Iterator[Passed]:
        """What is passed when nothing more is played: the next item, and all that is behind it."""
        at, self._at = self._at, (END,)
        return between(self._root, (*at[:-1], at[-1] - 1), (END,))


def between(root: str, before: Path, after: Path) -> Iterator[Passed]:
    """All ids behind ``before`` (and not below it, where ``after`` is not) and before ``after``."""
    fork = 0
    while fork < min(len(before), len(after)) and before[fork] == after[fork]:
        fork += 1
    for depth in range(len(before) - 1, fork, -1):
        yield _origin(root, before[:depth]), before[depth] + 1, 0
    for depth in range(fork, len(after)):
        first = before[fork] + 1 if depth == fork < len(before) else 0
        if first < after[depth]:
            yield _origin(root, after[:depth]), first, after[depth] - first


def _origin(root: str, prefix: Path) -> str:
    return ":".join((root, *map(str, prefix)))
