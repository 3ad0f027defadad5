"""In the worker: appends what goes out by a link to a file of a recording, before it goes.

The bytes are those that travel, and what lies in shared memory is written from there: nothing is decoded and
nobody else takes part. A disk that is slower than the link makes this worker wait, as a slow receiver does.
One that is full ends the recording and nothing else.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from penstock.link.ledger import Cargo
from penstock.link.link import Link
from penstock.message import chunk, freight, segment
from penstock.message.arena import Arena
from penstock.message.freight import SlotName
from penstock.message.segment import SlotPart, Writer
from penstock.message.views import Passed
from penstock.runtime.control import Assignment, Record, Recorded


class Recorder:
    """Called with every cargo of one link, with the worker's lock held. Never raises."""

    def __init__(self, writer: Writer, arena: Arena, *, fail: Callable[[str], None]) -> None:
        """``fail`` hears once that it cannot be written any more."""
        self._writer: Optional[Writer] = writer
        self._arena = arena
        self._fail = fail

    def __call__(self, cargo: Cargo) -> None:
        """This is about to be sent. What was sent before is in some file already."""
        if cargo.attempt > 1 or self._writer is None:
            return
        try:
            slots = [self._parts(each) for each in cargo.slots or ()]
            self._writer.add(time.time_ns(), cargo.ids(), cargo.payloads, slots, cargo.frames)
        except Exception as error:  # the disk is full, memory is short: what flows goes on
            self._fail(_reason(error))

    def close(self, failure: str = "") -> None:
        """Nothing more is recorded. Twice is fine."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close(failure)

    def _parts(self, slots: Any) -> List[SlotPart]:
        """Each slot of an item once, with its bytes where they lie."""
        return [(*name, part) for name, part in dict(map(self._part, slots)).items()]

    def _part(self, slot: Any) -> Tuple[SlotName, Any]:
        if isinstance(slot, Passed):
            return freight.name_of(slot.place), slot.bytes
        view = memoryview(self._arena.map)
        return (0, slot.offset, slot.generation), view[slot.offset : slot.offset + slot.size]


class Recorders:
    """Those of one worker, by link."""

    def __init__(
        self, assignment: Assignment, links: Dict[int, Link], *, arena: Arena, say: Callable[[Any], None]
    ) -> None:
        """``say`` tells the supervisor. Nothing is recorded before somebody wishes it."""
        self._assignment = assignment
        self._links = links
        self._arena = arena
        self._say = say
        self._open: Dict[int, Recorder] = {}

    def wish(self, record: Record) -> None:
        """Record from now on what goes out by some links, or no more."""
        if not record.path:
            self.close()
        for link in record.links:
            if record.path and link not in self._open:
                self._begin(link, record.path)

    def close(self) -> None:
        """End all, and say so. Twice is fine."""
        for link in list(self._open):
            self._end(link)

    def _begin(self, link: int, folder: str) -> None:
        number = self._assignment.number
        about = chunk.About(
            chunk.VERSION, self._assignment.run, link, self._assignment.label, number, time.time_ns()
        )
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)  # on another host it is not there
            writer = Writer(os.path.join(folder, segment.file_name(link, number)), about)
        except OSError as error:
            self._say(Recorded(link, _reason(error)))
            return

        recorder = Recorder(writer, self._arena, fail=lambda why: self._end(link, why))
        self._open[link] = recorder
        self._links[link].watch("record", recorder)

    def _end(self, link: int, failure: str = "") -> None:
        self._links[link].watch("record", None)
        self._open.pop(link).close(failure)
        self._say(Recorded(link, failure))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
