"""What became of published values, counted in place: a small mapped file beside the status page.

Whoever publishes writes it, the supervisor reads it when somebody asks, and it is still there after a
kill -9. A row is a topic, or a topic as one subscriber gets it; its name is there before it is counted in.

    word 0                 rows in use
    row k, at 512 k        8 words (names below), length of the name u16, name as UTF-8

A topic's row has PUBLISHED, BYTES and AT. In that of a subscriber, which is called ``subscriber`` TAB
``topic``:

    offered = delivered + full + replaced + gone + unsure + what waits or is on its way
"""

from __future__ import annotations

import struct
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

from penstock.observe.page import mapped

ROW = 512
ROWS = 1024
"""The most; further topics share the last row."""
SIZE = ROW * (ROWS + 1)
WORDS = 8
NAME = ROW - 64 - 2
MORE = "(more)"
_LENGTH = struct.Struct("<H")

PUBLISHED, BYTES, AT = range(3)
"""Of a topic. AT: CLOCK_MONOTONIC ns of the last one."""
OFFERED, DELIVERED, FULL, REPLACED, GONE, UNSURE, SENT = range(7)
"""Of a subscriber. FULL: too many waited, and the oldest went. REPLACED: a newer one took its place before
it went out. GONE: the subscriber or the publisher had ended before it went out. UNSURE: that was so after it
went out, and nobody knows whether it was taken. SENT: went out."""


class Row(NamedTuple):
    """One row, read."""

    subscriber: str
    """Empty: it is the topic's own."""
    topic: str
    words: List[int]


class Tally:
    """One mapped file."""

    def __init__(self, path: str, *, create: bool = False) -> None:
        """Map ``path``; with ``create`` make it first (mode 0600, all zero).

        Raises:
            OSError: no such file, or no room for it.
        """
        self._map = mapped(path, SIZE, create=create)
        self._words = memoryview(self._map).cast("Q")
        self._known: Dict[Tuple[str, str], Any] = {}

    def row(self, topic: str, subscriber: str = "") -> Any:
        """The words of a row, to be written in place; made when it is first asked for."""
        known = self._known.get((subscriber, topic))
        if known is not None:
            return known
        count = self._words[0]
        if count < ROWS - 1:
            words = self._begin(count, f"{subscriber}\t{topic}" if subscriber else topic)
        else:
            words = self._last(count)
        self._known[subscriber, topic] = words
        return words

    def _last(self, count: int) -> Any:
        """There is no room for more rows: these topics count together. (Of a subscriber, too: what is told of
        it is then less than there is, and never more.)"""
        return self._begin(count, MORE) if count < ROWS else self._at(ROWS - 1)

    def _begin(self, number: int, name: str) -> Any:
        data = name.encode(errors="replace")[:NAME]
        at = ROW * (number + 1) + 64
        self._map[at : at + 2 + len(data)] = _LENGTH.pack(len(data)) + data
        self._words[0] = number + 1
        return self._at(number)

    def _at(self, number: int) -> Any:
        first = ROW // 8 * (number + 1)
        return self._words[first : first + WORDS]

    def rows(self) -> Iterator[Row]:
        """All that there are now."""
        for number in range(min(self._words[0], ROWS)):
            at = ROW * (number + 1) + 64
            (length,) = _LENGTH.unpack_from(self._map, at)
            name = self._map[at + 2 : at + 2 + min(length, NAME)].decode(errors="replace")
            subscriber, tab, topic = name.rpartition("\t")
            yield Row(subscriber if tab else "", topic, self._at(number).tolist())

    def close(self) -> None:
        """Unmap. Rows that were given out are of no use any more."""
        for words in self._known.values():
            words.release()
        self._known.clear()
        self._words.release()
        try:
            self._map.close()
        except BufferError:
            pass  # a row is held somewhere; the process ends soon
