"""In the worker of a source that is played again, where somebody takes its items in order: plays them so.

What was recorded behind replicas is out of order, and has gaps where nothing came of an item. Here each
root is played in the order of its ids, and what is not there is passed, as the stage would have said that
made the gap. A gap is told with the item in front of it: so whoever waits for this link waits for an
item, and never for a word about one that is not there.

All ids are read first, and kept: some hundred bytes an item, not counting what is in it.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

from penstock.link.course import Path
from penstock.link.sequence import Name, name
from penstock.message.recording import Recording
from penstock.message.segment import Entry
from penstock.runtime.worker.order.replayer import Replayer
from penstock.runtime.worker.order.score import Gaps, Passed, Times, turns


class Note(NamedTuple):
    """One item that is played here; in this order."""

    turn: int
    root: str
    path: Path
    link: int
    entry: Entry


class Conductor(Replayer):
    """Plays the tracks of one source, by their ids."""

    def __init__(self, *replayer: Any, **more: Any) -> None:
        super().__init__(*replayer, **more)
        self._score: List[Note] = []
        self._names: Dict[str, Name] = {}
        """By origin."""
        self._open: Dict[Tuple[str, int], Gaps] = {}

    def _entries(self, recording: Recording, prefix: str) -> Iterator[Tuple[Entry, int]]:
        """Once what is played here."""
        if not self._score:
            self._read(recording)
        self._open = self._gaps(prefix)
        for (_, link), gap in self._open.items():
            self._pass(link, gap.next())
        for note in self._score:
            yield note.entry, note.link

    def _put(self, entry: Entry, id: int, origin: str) -> bool:
        alarm = super()._put(entry, id, origin)
        gap = self._open.get((self._root(entry.origin), id))
        if gap is not None:
            self._pass(id, gap.next())
        return alarm

    def _close(self, made: Any) -> None:
        """Also in the middle, when it drains: others may wait for what would have been next."""
        super()._close(made)
        for (_, link), gap in self._open.items():
            self._pass(link, gap.rest())

    def _root(self, origin: str) -> str:
        return self._names[origin].root

    def _read(self, recording: Recording) -> None:
        """All that is played, here and by others: for all of them it is the same order."""
        sent: Times = {}
        mine: List[Note] = []
        links: Dict[str, List[int]] = {}
        for id, label in self._reel.tracks.items():
            links.setdefault(label, []).append(id)
        for label in self._reel.sources:
            for entry in recording[label].entries():
                where = self._names.setdefault(entry.origin, name(entry.origin))
                path = (*where.prefix, entry.number)
                times = sent.setdefault(where.root, {})
                times[path] = min(entry.at, times.get(path, entry.at))
                mine += [Note(0, where.root, path, id, entry) for id in links.get(label, ())]
        due = turns(sent)
        self._score = sorted(note._replace(turn=due[note.root][note.path]) for note in mine)

    def _gaps(self, prefix: str) -> Dict[Tuple[str, int], Gaps]:
        """By root and link, where somebody wants to know."""
        roots = {where.root: where for where in self._names.values()}
        paths: Dict[Tuple[str, int], List[Path]] = {
            (root, id): []
            for id, label in self._reel.tracks.items()
            for root, where in roots.items()
            if self._links[id].passage is not None and where.source in self._reel.sources[label]
        }
        for note in self._score:
            if (note.root, note.link) in paths:
                paths[note.root, note.link].append(note.path)
        return {key: Gaps(prefix + key[0], found) for key, found in paths.items()}

    def _pass(self, id: int, ids: Iterator[Passed]) -> None:
        passage = self._links[id].passage
        assert passage is not None
        for origin, first, items in ids:
            passage.put(None, origin, first, items)
