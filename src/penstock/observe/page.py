"""The status page of a worker: numbers it writes in place and the supervisor reads when it wants.

A page is a small file in the run directory, mapped by both. Each number is one aligned 64-bit word,
written by one thread of one process, so a reader sees the old or the new value and nothing between;
no word publishes data to another process (that is the wire's task). It costs the worker some 40 ns a
number, no message and no timer, and it is still there after a kill -9: that is how the supervisor
knows which item a dead worker had in hand, and what its ledger said at its last moment.

    word  0..31           the worker           (names below)
    word  32 + 16 k ..    its k-th link        first the out-links, then the in-links, as assigned
    word  2048 ..         durations of items   (see durations.py)
"""

from __future__ import annotations

import mmap
import os
from typing import List

from penstock.observe.durations import BUCKETS

HEAD = 32
STRIDE = 16
DURATIONS = 2048
"""The first word of the histogram."""
WORDS = DURATIONS + 512
SIZE = WORDS * 8
LINKS = (DURATIONS - HEAD) // STRIDE
"""The most links one worker can have."""

# The worker.
STARTED = 0
"""CLOCK_MONOTONIC ns at which the current call of user code began; 0: not in user code."""
SENDER, LINK, BATCH, INDEX = 1, 2, 3, 4
"""The item in hand: who sent it, on which link, in which batch, at which place. Of a service: SENDER the
caller, BATCH its number for the call; 0: none, or several."""
STATE = 5
"""One of the states below."""
BUSY = 6
"""ns spent in user code."""
ITEMS = 7
"""Items finished (for a source: made)."""
FAILURES = 8
"""Exceptions raised by user code."""
POOL = 9
"""Bytes of the arena in use."""
SPILLED = 10
"""Arrays that went by socket because the arena had no room."""
REFUSED = 11
"""Messages refused on the wire."""
WAITED = 12
"""ns that the maker of items has waited for room in a link. No part of ``BUSY``."""
BLOCKED = 13
"""CLOCK_MONOTONIC ns since which it waits now; 0: it does not."""
KEPT = 14
"""Items that are finished and kept all the same: in an open window, for a partner, or for their turn."""
IN_HAND, SINCE, LANES = 15, 16, 17
"""Where a worker has several items in hand: on how many user code works, since when on so many
(CLOCK_MONOTONIC ns), and on how many it may; LANES 0: on one. ``BUSY`` is then complete up to SINCE, and the
part of the lanes that was used; ``STARTED`` and the item in hand are those of the item that was begun
first."""
CULPRIT = 18
"""Of such a worker: 1 when that item is to blame, should the worker be killed for a time-out."""
LATITUDE = 19
"""ns beyond its time-out until which the worker itself can end an item, so that nobody need kill it."""

STATES = ("booting", "loading", "setup", "ready", "draining", "finished")
BOOTING, LOADING, SETUP, READY, DRAINING, FINISHED = range(6)

# An out-link: the ledger. sent = settled + dead + dropped + in flight, at any time.
SENT, SETTLED, DEAD, AGAIN, SENT_BYTES, TAKEN_BACK, WAITING, DROPPED_FULL, DROPPED_TOO_OLD = range(9)
"""SENT counts an item once, AGAIN each further delivery; TAKEN_BACK the items taken back from
receivers that died; WAITING what is made but not yet sent; DROPPED_FULL what a full link has dropped,
DROPPED_TOO_OLD what has outlived its ``max_age``."""
REQUEUED, RETURNING = 11, 12
"""REQUEUED: dead letters that were put back, among those sent; RETURNING: of these, what is in flight."""
SHARED_BYTES, OLDEST, COST = 13, 14, 15
"""SHARED_BYTES of SENT_BYTES lay in shared memory. OLDEST: CLOCK_MONOTONIC ns at which the oldest batch in
flight went out, 0 when none is. COST: ns that an item takes its receivers (see ``link.batching``)."""
# An in-link.
RECEIVED, DONE, RECEIVED_BYTES, HELD, UNMATCHED, DUPLICATES = range(6)
"""HELD: items received and not yet finished. UNMATCHED: those that a join has found no partner for.
DUPLICATES: those that were done before, and so not called again."""


def link_word(position: int, name: int) -> int:
    """The word of number ``name`` of the link at ``position``."""
    return HEAD + STRIDE * position + name


def mapped(path: str, size: int, *, create: bool) -> mmap.mmap:
    """A file of numbers, shared with whoever maps it; with ``create`` made first (mode 0600, all zero).

    Raises:
        OSError: no such file, or no room for it.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
    fd = os.open(path, flags, 0o600)
    try:
        if create:
            os.posix_fallocate(fd, 0, size)
        return mmap.mmap(fd, size)
    finally:
        os.close(fd)


class Page:
    """One mapped page; ``page.words[STARTED] = n`` writes, ``page.words[STARTED]`` reads."""

    def __init__(self, path: str, *, create: bool = False) -> None:
        """Map ``path``; with ``create`` make it first (mode 0600, all zero).

        Raises:
            OSError: no such file, or no room for it.
        """
        self._map = mapped(path, SIZE, create=create)
        self.words = memoryview(self._map).cast("Q")

    def link(self, position: int) -> List[int]:
        """All numbers of the link at ``position``."""
        start = HEAD + STRIDE * position
        return self.words[start : start + STRIDE].tolist()

    def durations(self) -> List[int]:
        """The histogram of what items took."""
        return self.words[DURATIONS : DURATIONS + BUCKETS].tolist()

    def close(self) -> None:
        """Unmap. Twice is fine."""
        self.words.release()
        self._map.close()
