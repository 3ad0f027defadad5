"""Where a flow is copied and its copies meet again: there two items have one id. Pure: edges in, answer out.

A stage that returns something gives it the id of what it was made from. So with

    camera ──> left ──┐
          └──> right ─┴──> merge ──> save

two items ``camera/0:17`` leave ``merge``, and both are right. Whoever goes by ids (``dedupe=``) must not be
fed so. A route is no such fork: of its links each item takes one.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Collection, Dict, Iterable, List, NamedTuple, Optional, Sequence

if TYPE_CHECKING:
    from penstock.pipeline.edge import Edge


class Meeting(NamedTuple):
    """Copies meet again."""

    fork: str
    """Where they were made."""
    place: str
    """Where they meet."""


def meeting(edges: Sequence[Edge], stage: str, renumbering: Collection[str] = ()) -> Optional[Meeting]:
    """The first place before ``stage`` at which copies of an item meet; None: there is none. (At the stage
    itself they may: they come by different links there.) ``renumbering``: stages that give what they put out
    ids of its own."""
    into: Dict[str, List[Edge]] = {}
    for edge in edges:
        into.setdefault(edge.target, []).append(edge)
    found = {edge.source for edge in into.get(stage, [])} - set(renumbering)
    pending = list(found)
    while pending:
        place = pending.pop()
        for one, other in combinations(into.get(place, []), 2):
            fork = _fork(_above(one, into), _above(other, into))
            if fork is not None:
                return Meeting(fork, place)
        above = {edge.source for edge in into.get(place, [])} - found - set(renumbering)
        found |= above
        pending += above
    return None


def _above(edge: Edge, into: Dict[str, List[Edge]]) -> List[Edge]:
    """The edge, and all by which something may come to it."""
    found, seen, pending = [edge], {edge.source}, [edge.source]
    while pending:
        for upper in into.get(pending.pop(), []):
            found.append(upper)
            if upper.source not in seen:
                seen.add(upper.source)
                pending.append(upper.source)
    return found


def _fork(one: Iterable[Edge], other: Iterable[Edge]) -> Optional[str]:
    """A stage of which copies go by an edge of ``one`` and by another of ``other``."""
    out: Dict[str, List[Edge]] = {}
    for edge in one:
        out.setdefault(edge.source, []).append(edge)
    for edge in other:
        for first in out.get(edge.source, []):
            if first.ends != edge.ends and not _is_choice(first, edge):
                return edge.source
    return None


def _is_choice(one: Edge, other: Edge) -> bool:
    """Whether an item takes one of the two only."""
    return one.choice is not None and one.choice == other.choice and one.port == other.port
