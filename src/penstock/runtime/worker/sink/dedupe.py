"""In the worker of a sink with ``dedupe=``: what is done is not given to user code a second time.

Delivery is at least once: whoever dies before it has heard that an item is through has it sent again. What
comes again has the same id, by the same link; so an id is noted when user code is through with it, and what
comes under an id that is noted is settled without being called. Ids of different links are different: of two
branches that meet here each has its own item 17.
"""

from __future__ import annotations

import os
from typing import Any, Callable, List, Optional, Tuple

from penstock.link.receiver import Inbound
from penstock.observe import page
from penstock.runtime.control import Assignment
from penstock.runtime.worker.sink import donefile
from penstock.runtime.worker.sink.done import Done
from penstock.runtime.worker.sink.donefile import DoneFile

Key = Tuple[int, int]
"""An id: what stands for its link and origin, and its number."""


class Dedupe:
    """What all replicas of one sink have done, as far as this one knows."""

    def __init__(self, path: str, limit: int, *, words: Any, notice: Callable[[str, str], None]) -> None:
        """``path``: where the stage's files lie. ``limit``: ids to be remembered, neighbours as one."""
        from hashlib import blake2b  # OpenSSL is loaded with it: some ms, for those who need none of it

        self._digest = blake2b
        self._path = path
        self._done = Done(limit)
        self._words = words
        self._mine: Optional[DoneFile] = None
        self._others: List[DoneFile] = []
        self._next = 0
        self._inbound: Optional[Inbound] = None
        self._run = self._base = self._end = self._first = 0
        self._origin = 0
        self._named: Tuple[int, str] = (-1, "")
        try:
            self._mine = donefile.take(path, limit)
        except OSError as error:
            notice("warning", f"what is done is remembered by this process alone: {path}: {error.strerror}")
        else:
            self._take_in(self._mine)

    def catch_up(self) -> None:
        """Take in what the other replicas have done."""
        for other in self._others:
            self._take_in(other)
        while os.path.exists(f"{self._path}.{self._next}.done"):
            if self._mine is None or self._next != self._mine.number:
                found = donefile.look(self._path, self._next)
                if found is None:
                    return  # it is being made
                self._others.append(found)
                self._take_in(found)
            self._next += 1

    def _take_in(self, file: DoneFile) -> None:
        for record in file.news():
            self._done.add(*record)

    def key(self, inbound: Inbound, place: int) -> Key:
        """The id of the item at ``place``. Places are asked for in their order, mostly."""
        if inbound is not self._inbound or not self._base <= place < self._end:
            self._find(inbound, place)
        return self._origin, self._first + place

    def _find(self, inbound: Inbound, place: int) -> None:
        """The run of ids in which that place is."""
        if inbound is not self._inbound or place < self._base:
            self._inbound, self._run, self._end = inbound, -1, 0
        while place >= self._end:
            self._run += 1
            self._base, self._end = self._end, self._end + inbound.ids[self._run][2]
        origin, first, _ = inbound.ids[self._run]
        self._first = first - self._base
        named = inbound.connection.link, origin
        if named != self._named:
            digest = self._digest(f"{named[0]} {origin}".encode(), digest_size=16).digest()
            self._named, self._origin = named, int.from_bytes(digest, "little")

    def is_done(self, key: Key) -> bool:
        """Whether user code is through with it."""
        return self._done.has(*key)

    def note(self, key: Key) -> None:
        """User code is through with it."""
        self._done.add(*key)
        if self._mine is not None:
            self._mine.note(*key)

    def strike(self, inbound: Inbound) -> None:
        """An item of this batch was done before: count it."""
        self._words[inbound.connection.word + page.DUPLICATES] += 1

    def close(self) -> None:
        """Let go of the files."""
        for file in (self._mine, *self._others):
            if file is not None:
                file.close()


def remembering(
    assignment: Assignment, *, words: Any, notice: Callable[[str, str], None]
) -> Optional[Dedupe]:
    """What a sink is to remember with; None: it need not."""
    if not assignment.dedupe:
        return None
    path = f"{assignment.run_dir}/{assignment.stage}"
    return Dedupe(path, assignment.dedupe, words=words, notice=notice)
