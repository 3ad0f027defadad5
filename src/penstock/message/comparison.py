"""What went by a link when it was recorded, against what goes by it now: by the ids of the items."""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

from penstock.message.difference import EXACT, Tolerance, difference
from penstock.message.recording import Recording, Track
from penstock.message.segment import Entry

SHOWN = 10
"""Differences of one link that are told."""

Id = Tuple[str, int]


class Found(NamedTuple):
    """One item that is not as it was."""

    id: str
    what: str


class Verdict(NamedTuple):
    """Of one link."""

    link: str
    equal: int
    different: int
    missing: int
    """Items that were there, and are not now."""
    new: int
    """Items that were not there."""
    outside: int
    """Items of which it cannot be known: made from, or at, what lies outside of the recording."""
    first: List[Found]
    """The first that are not as they were."""

    @property
    def same(self) -> bool:
        """Whether all is as it was."""
        return not (self.different or self.missing or self.new)


class Edges:
    """What lies outside of a recording: what was made of items that are not in it, as they came before its
    beginning, by links that were not recorded, or are lost; and what was made after its end of items that are
    in it."""

    def __init__(self, recording: Recording, fed: Iterable[Track], *, partly: bool = False) -> None:
        """``fed``: what was played; ``partly``: more came then, by links that are not recorded."""
        self._complete = recording.complete
        self._begins_inside = partly or not (recording.manifest.from_start and self._complete)
        self._ends_inside = not (recording.manifest.to_end and self._complete)
        self._ended = int((recording.ended or 0) * 1e9)
        self._times: Dict[Id, int] = {}
        if self._begins_inside or self._ends_inside:
            for track in fed:
                self._times.update({(entry.origin, entry.number): entry.at for entry in track.entries()})
        self._longest = 0

    def saw(self, entry: Entry) -> None:
        """An item that is in both: so long it took after what it was made from."""
        sent = self._sent(entry)
        if sent is not None:
            self._longest = max(self._longest, entry.at - sent)

    def came_before(self, entry: Entry) -> bool:
        """Whether what was recorded was made from what was not."""
        return self._begins_inside and self._sent(entry) is None

    def came_after(self, entry: Entry) -> bool:
        """Whether what is made now may have been made then, after the end."""
        if not (self._ends_inside and self._complete):
            return self._ends_inside  # nobody knows when each link was recorded for the last time
        sent = self._sent(entry)
        return sent is not None and sent + self._longest >= self._ended

    def _sent(self, entry: Entry) -> Optional[int]:
        """When that went out of which the item was made: its id begins with the other's."""
        origin, number = entry.origin, entry.number
        while (origin, number) not in self._times:
            origin, _, last = origin.rpartition(":")
            if not last.isdigit():
                return None
            number = int(last)
        return self._times[origin, number]


def compare(old: Track, new: Track, edges: Edges, within: Tolerance = EXACT) -> Verdict:
    """The items of ``new`` against those of ``old``."""
    now: Dict[Id, Entry] = {(entry.origin, entry.number): entry for entry in new.entries()}
    equal = different = outside = 0
    first: List[Found] = []
    missing: List[str] = []
    for was in old.entries():
        entry = now.pop((was.origin, was.number), None)
        if entry is None and edges.came_before(was):
            outside += 1
        elif entry is None:
            missing.append(was.id)
        elif what := difference(old.open(was).value, new.open(entry).value, within):
            different += 1
            first.append(Found(was.id, what))
        else:
            edges.saw(was)
            equal += 1
    more = [entry.id for entry in now.values() if not edges.came_after(entry)]
    first = first[:SHOWN] + [Found(id, "is missing") for id in missing] + [Found(id, "is new") for id in more]
    outside += len(now) - len(more)
    return Verdict(old.label, equal, different, len(missing), len(more), outside, first[:SHOWN])
