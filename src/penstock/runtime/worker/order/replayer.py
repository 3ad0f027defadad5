"""In the worker of a source that is played again: sends what was recorded, under the ids that it had.

What was recorded as it travels travels again as it is; only what has arrays is read from the recording, and
written into this worker's shared memory. Each of its links gets its own track: nothing is routed anew.
"""

from __future__ import annotations

import heapq
import itertools
import time
from typing import Any, Callable, Dict, Iterator, NamedTuple, Tuple

from penstock.errors import WiringError
from penstock.link.keyed import KeyedLink
from penstock.link.link import Link
from penstock.link.outbox import Feed
from penstock.message.codec import Decoder
from penstock.message.recording import Recording
from penstock.message.segment import Entry
from penstock.pipeline.plan import Reel
from penstock.runtime.worker.emitter import Port
from penstock.runtime.worker.source.producer import Producer


class Play(NamedTuple):
    """One item to be sent."""

    entry: Entry
    link: int
    origin: str


class Replayer(Producer):
    """Plays the tracks of one source."""

    def __init__(self, reel: Reel, links: Dict[int, Link], *, allow_pickle: bool, **parts: Any) -> None:
        """``parts``: as for ``Producer``."""
        super().__init__(**parts)
        self._reel = reel
        self._links = links
        self._ports = {id: _port(link) for id, link in links.items()}
        self._decoder = Decoder(allow_pickle=allow_pickle)

    def _iterate(self) -> Iterator[Play]:
        return self._plays()

    def _plays(self) -> Iterator[Play]:
        """All items; again and again, where that is wanted."""
        reel = self._reel
        recording = Recording(reel.path)
        first = recording.first
        for turn in itertools.count(1) if reel.loop else [1]:
            # The second time it is another item: under the same id it would be taken for the same.
            prefix = "" if turn == 1 else f"{turn}~"
            began = time.monotonic()
            for entry, link in self._entries(recording, prefix):
                if reel.speed:
                    _sleep_until(began + (entry.at - first) / 1e9 / reel.speed)
                yield Play(entry, link, prefix + entry.origin)

    def _entries(self, recording: Recording, prefix: str) -> Iterator[Tuple[Entry, int]]:
        """Once what is played here, by the time at which it went out."""
        tracks = self._reel.tracks.items()
        return heapq.merge(*(_entries(recording, label, link) for link, label in tracks), key=_at)

    def _feeder(self) -> Tuple[Feed, Callable[[], int]]:
        count = 0

        def feed(plays: Iterator[Play]) -> bool:
            nonlocal count
            for play in plays:
                count += 1
                if self._put(*play):
                    return True
            return False

        return feed, lambda: count

    def _put(self, entry: Entry, id: int, origin: str) -> bool:
        link = self._links[id]
        if entry.plain and not isinstance(link, KeyedLink):
            return link.put(None, origin, entry.number, bytes(entry.payload))
        return self._emitter.again(self._ports[id], entry.value(self._decoder), origin, entry.number)


def made() -> Iterator[Any]:
    """Stands in a plan for the code of a source that is played again.

    Raises:
        WiringError: it is asked for items of its own.
    """
    raise WiringError("a source that is played again makes nothing")


def let_go(item: Any) -> None:
    """Stands in a plan for the code of a stage that is not to be run: takes what comes, and does nothing."""


def _port(link: Link) -> Port:
    port = Port()
    (port.keyed if isinstance(link, KeyedLink) else port.copies).append(link)
    return port


def _entries(recording: Recording, label: str, link: int) -> Iterator[Tuple[Entry, int]]:
    for entry in recording[label].entries():
        yield entry, link


def _at(play: Tuple[Entry, int]) -> int:
    return play[0].at


def _sleep_until(due: float) -> None:
    """(A drain gets us out of it.)"""
    left = due - time.monotonic()
    if left > 0:
        time.sleep(left)
