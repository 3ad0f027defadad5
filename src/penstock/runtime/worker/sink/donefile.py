"""In the worker of a sink that remembers: the ids that are done, in a file that outlives the worker.

The file is mapped and written in place, like the status page: it costs no system call, and kill -9 takes
nothing of it. It lies in the run directory, and is written by whoever has its lock. Each worker of the stage
takes the first that nobody has, and reads the others: so a successor goes on where the dead one was, and
replicas know what the others have done.

    word 0        records ever begun
    word 4 i ..   a record, the n-th begun in place n % room:
                    +-----------------+-------+----------------------+--------------------------+
                    | origin, 64 bits | first | turn << 40 | count   | origin, the others ^ first |
                    +-----------------+-------+----------------------+--------------------------+

A record is neighbouring ids, and grows in place while the next id follows it. ``turn`` says how often the
place has been used. The status page publishes nothing to other processes; here others read while the owner
writes, and nothing orders the two. So a record vouches for itself: of one that is half the old and half the
new either the turn is wrong, or the origin is nobody's.
"""

from __future__ import annotations

import fcntl
import itertools
import mmap
import os
from typing import Iterator, NamedTuple, Optional

WORD = 8
RECORD = 4
"""Words. The room of the first is the head of the file."""
BEGUN = 0
HALF = (1 << 64) - 1
TURN = 40
COUNT = (1 << TURN) - 1


class Record(NamedTuple):
    """Neighbouring ids that are done."""

    origin: int
    """128 bits that stand for it."""
    first: int
    many: int


class DoneFile:
    """One file, mapped."""

    def __init__(self, fd: int, number: int) -> None:
        """``fd`` stays open: the lock is its. The file has its size."""
        self.number = number
        """Among those of its stage."""
        self._fd = fd
        self._map = mmap.mmap(fd, 0)
        self._words = memoryview(self._map).cast("Q")
        self._room = len(self._words) // RECORD - 1
        self._read = 0
        self._begun: int = self._words[BEGUN]
        self._at = 0
        self._origin = self._next = -1

    def note(self, origin: int, number: int) -> None:
        """This id is done."""
        words = self._words
        if origin == self._origin and number == self._next:
            words[self._at] += 1
            self._next = number + 1
            return
        turn, place = divmod(self._begun, self._room)
        at = (place + 1) * RECORD
        words[at] = origin >> 64
        words[at + 1] = number
        words[at + 3] = (origin & HALF) ^ number
        words[at + 2] = _turn(turn) | 1
        self._begun += 1
        words[BEGUN] = self._begun
        self._at, self._origin, self._next = at + 2, origin, number + 1

    def news(self) -> Iterator[Record]:
        """What was noted since this was last asked, and the last record before that, which may have grown."""
        begun: int = self._words[BEGUN]
        for number in range(max(self._read, begun - self._room), begun):
            record = self._record(number)
            if record is not None:
                yield record
        self._read = max(0, begun - 1)

    def _record(self, number: int) -> Optional[Record]:
        turn, place = divmod(number, self._room)
        at = (place + 1) * RECORD
        high, first, count, low = self._words[at : at + RECORD].tolist()
        if count >> TURN != _turn(turn) >> TURN:
            return None  # overwritten meanwhile
        return Record(high << 64 | low ^ first, first, count & COUNT)

    def close(self) -> None:
        """Let go of it, and of its lock."""
        self._words.release()
        self._map.close()
        os.close(self._fd)


def take(path: str, room: int) -> DoneFile:
    """The first of ``<path>.0.done``, ``<path>.1.done`` ... that nobody has, now ours. ``room``: records that
    a new one is to have.

    Raises:
        OSError: it cannot be made.
    """
    for number in itertools.count():
        fd = os.open(f"{path}.{number}.done", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(fd).st_size:
                os.posix_fallocate(fd, 0, (room + 1) * RECORD * WORD)
            return DoneFile(fd, number)
        except BlockingIOError:
            os.close(fd)
        except BaseException:
            os.close(fd)
            raise
    raise AssertionError


def look(path: str, number: int) -> Optional[DoneFile]:
    """One of those, to be read; None: it is not there yet."""
    try:
        fd = os.open(f"{path}.{number}.done", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if os.fstat(fd).st_size:
        return DoneFile(fd, number)
    os.close(fd)
    return None


def _turn(number: int) -> int:
    """In its place in a record; counted from 1, so that a place that was never used is of no turn."""
    return (number + 1 << TURN) & HALF
