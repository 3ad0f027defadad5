"""What one subscriber is to get of one publisher: what waits, what is on its way, what became of the rest.

A decision module: it knows no socket and no clock. Nothing goes out beyond a window that the subscriber
empties by saying what it has done, so what a slow one cannot take waits here, where it can be bounded,
replaced by newer values, and counted to the last one. (PUB would drop it in silence, and hold the oldest.)
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Dict, List, NamedTuple, Sequence, Set, Tuple

from penstock.message.topics import wants
from penstock.observe.tally import DELIVERED, FULL, GONE, OFFERED, REPLACED, SENT, UNSURE

WINDOW = 256
"""Values on their way to one subscriber at most."""
BYTES = 64 << 20
"""Bytes of them, unless it is a single one."""
WAITING_BYTES = 256 << 20
"""Bytes that wait for one subscriber at most."""
DEPTH = 1000
"""Values that wait for one subscriber, if it does not say."""


class Note(NamedTuple):
    """One published value, as it travels."""

    topic: str
    frame: bytes
    arrays: Sequence[Any]
    size: int
    """Bytes."""


Entry = Tuple[Note, Any]
"""And the row in which it is counted."""


class Mailing:
    """One subscriber, as a publisher sees it."""

    def __init__(
        self,
        name: str,
        topics: Sequence[str],
        *,
        conflate: bool = False,
        depth: int = DEPTH,
        inside: bool = True,
    ) -> None:
        """``conflate``: of each topic only the newest waits. ``inside``: it belongs to the run, so whoever
        drains waits for it."""
        self.name = name
        self.topics = tuple(topics)
        self.inside = inside
        self.peer = b""
        """Its socket's name; empty: it is not there, and what is for it waits."""
        self._conflate = conflate
        self._depth = depth
        self._window = 1 if conflate else min(WINDOW, depth)
        self._waiting: Deque[Entry] = deque()
        self._newest: Dict[str, Entry] = {}
        """What waits, of one that has ``conflate``."""
        self._on_way: Deque[Entry] = deque()
        self._bytes = 0
        self._waiting_bytes = 0
        self._taken = 0

    @property
    def idle(self) -> bool:
        """Whether it has got everything."""
        return not self._on_way and not self.waits

    @property
    def waits(self) -> int:
        """Values that have not gone out."""
        return len(self._newest) if self._conflate else len(self._waiting)

    @property
    def on_way(self) -> int:
        """Values that have, and are not done."""
        return len(self._on_way)

    @property
    def waiting_topics(self) -> Set[str]:
        """Those of them."""
        return set(self._newest) if self._conflate else {note.topic for note, _ in self._waiting}

    def wants(self, topic: str) -> bool:
        """Whether it has asked for that."""
        return wants(self.topics, topic)

    def offer(self, note: Note, row: Any) -> None:
        """A value of a topic that it has asked for."""
        row[OFFERED] += 1
        self._waiting_bytes += note.size
        if self._conflate:
            self._replace(note, row)
        else:
            self._waiting.append((note, row))
        while self.waits > 1 and (self.waits > self._depth or self._waiting_bytes > WAITING_BYTES):
            old, counted = self._oldest()
            self._waiting_bytes -= old.size
            counted[FULL] += 1

    def _replace(self, note: Note, row: Any) -> None:
        old = self._newest.get(note.topic)
        self._newest[note.topic] = note, row  # in the place of the old one: busy topics hold up no others
        if old is not None:
            self._waiting_bytes -= old[0].size
            old[1][REPLACED] += 1

    def _oldest(self) -> Entry:
        return self._newest.pop(next(iter(self._newest))) if self._conflate else self._waiting.popleft()

    def take(self) -> List[Note]:
        """What is to go out now."""
        found: List[Note] = []
        while self.peer and self.waits and len(self._on_way) < self._window:
            if self._on_way and self._bytes + self._first().size > BYTES:
                break
            note, row = entry = self._oldest()
            self._waiting_bytes -= note.size
            self._bytes += note.size
            self._on_way.append(entry)
            row[SENT] += 1
            found.append(note)
        return found

    def _first(self) -> Note:
        return (next(iter(self._newest.values())) if self._conflate else self._waiting[0])[0]

    def arrive(self, peer: bytes) -> None:
        """It is there, under that name, and has got nothing yet."""
        self.leave()
        self.peer, self._taken = peer, 0

    def done(self, total: int) -> bool:
        """It is through with so many since it has arrived; False: it cannot be."""
        if not 0 <= total - self._taken <= len(self._on_way):
            return False
        for _ in range(total - self._taken):
            note, row = self._on_way.popleft()
            self._bytes -= note.size
            row[DELIVERED] += 1
        self._taken = total
        return True

    def leave(self) -> None:
        """It is not there any more; what waits, waits for its successor."""
        for _, row in self._on_way:
            row[UNSURE] += 1
        self._on_way.clear()
        self._bytes, self.peer = 0, b""

    def end(self) -> None:
        """Nobody of that name comes again."""
        self.leave()
        while self.waits:
            self._oldest()[1][GONE] += 1
        self._waiting_bytes = 0
