"""In the worker of a source that takes ``start``: from where it goes on, and how far it is."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from penstock.link.outbox import Feed
from penstock.pipeline.at import At
from penstock.runtime.control import Assignment
from penstock.runtime.worker.emitter import Emitter
from penstock.runtime.worker.source import position
from penstock.runtime.worker.source.position import FarPosition, PositionFile
from penstock.runtime.worker.source.progress import Mark, Progress, Stretch
from penstock.runtime.worker.steward import Guard

PAUSE = 0.1
"""Seconds between two writes. What is settled meanwhile comes again if the worker is killed just then."""


class Resumption:
    """Reads and keeps the position of one source."""

    def __init__(
        self,
        assignment: Assignment,
        *,
        guard: Guard,
        clock: Callable[[], float],
        notice: Callable[[str, str], None],
        say: Callable[[Any], None] = lambda _: None,
    ) -> None:
        """``notice(kind, text)`` tells people, ``say`` the supervisor."""
        self._assignment = assignment
        self._guard = guard
        self._clock = clock
        self._notice = notice
        self._file = _file(assignment, say)
        self._progress = Progress()
        self._written: Optional[Mark] = None
        self._when = -PAUSE
        self._failed = False
        self._first = Mark(b"", 0, {})
        self.origin = assignment.origin
        """The first part of the ids: who goes on where another was, goes on under its ids."""
        self.stretch: Optional[Stretch] = None
        """What is being made belongs to it."""

    def start(self) -> Dict[str, Any]:
        """What to call the source with: the position to go on from, or nothing, to begin anew.

        Raises:
            EnvironmentFault: positions cannot be kept, or the last one cannot be read.
        """
        found = self._file.read(also_of_others=self._assignment.resume)
        if found is None:
            # Killed before anything was settled: what it makes now is what it made then, under the same ids.
            self.origin = self._assignment.label
            self._file.clear()
            return {}
        self._first = found
        self.origin = found.origin or self._assignment.label
        where = position.decode(found.position)
        self._notice("resumed", f"{self._assignment.label} goes on from position {where!r}")
        return {"start": where}

    def passed(self, port: str) -> int:
        """Of what it makes, or emits on ``port``, so many items another worker has made."""
        return self._first.emitted.get(port, 0) if port else self._first.made

    def feeder(self, emitter: Emitter) -> Tuple[Feed, Callable[[], int]]:
        """As ``Emitter.feeder``, for values some of which are ``at(...)``."""
        number, origin = self._first.made, self.origin
        emitter.children.update(self._first.emitted)

        def feed(values: Iterator[Any]) -> bool:
            nonlocal number
            stretch = self._begin()
            try:
                for value in values:
                    marked = type(value) is At
                    item = value.item if marked else value
                    alarm = marked
                    if item is not None:
                        alarm = emitter.out(item, stretch, origin, number)
                        number += 1
                    if marked:
                        where = position.encode(value.position)
                        stretch.mark = Mark(where, number, _copy(emitter.children), origin)
                    if alarm:
                        return True
                return False
            finally:
                self._complete(stretch)

        return feed, lambda: number - self._first.made

    def settled(self, stretch: Stretch, count: int) -> None:
        """``count`` items of it are settled. With the worker's lock held."""
        if self._progress.settled(stretch, count):
            self._write_in_time()

    def keep(self) -> None:
        """Write down how far it is, now. With the worker's lock held."""
        mark = self._progress.reached
        if mark is None or mark is self._written:
            return
        try:
            self._file.write(mark)
        except OSError as error:
            if not self._failed:
                what = f"{self._file.path} cannot be written: {error.strerror}"
                self._notice("warning", f"{what}; after a crash more items would come again")
            self._failed = True
        else:
            self._written, self._failed = mark, False

    def _begin(self) -> Stretch:
        self._guard.enter()
        try:
            self.stretch = stretch = self._progress.begin()
        finally:
            self._guard.leave()
        return stretch

    def _complete(self, stretch: Stretch) -> None:
        self._guard.enter()
        try:
            if self._progress.complete(stretch):
                self._write_in_time()
        finally:
            self._guard.leave()

    def _write_in_time(self) -> None:
        now = self._clock()
        if now >= self._when + PAUSE:
            self._when = now
            self.keep()


def _copy(children: Dict[str, int]) -> Dict[str, int]:
    return dict(children) if children else {}


def _file(assignment: Assignment, say: Callable[[Any], None]) -> PositionFile:
    if assignment.host:
        return FarPosition(assignment, say)
    return PositionFile(assignment.state_dir, assignment.stage, assignment.replica, run=assignment.run)
