"""Runs in supervisor and agent: files from one to the other, one after the other, a few parts at a time.

    Have ->    <- Give, Give    Load, Load ->    ...    <- Got

Who takes a file asks for each part of it, so that what is on its way is bounded: on a slow line a large file
must not keep the signs of life behind it. Who has it keeps it until it is told that it is on the other's disk
(``Got``), so what a stay cannot finish the next one begins anew. ``conduit`` sees that each word comes once,
and in order.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import msgspec

from penstock.errors import PeerError
from penstock.runtime import hostwire

AHEAD = 2
"""Parts that are asked for before the first has come: two seconds' worth at 1 Mbit/s."""
PATH = re.compile(r"(dead|tap|record/[\w.-]+)/\w[\w.-]*")

Say = Callable[[msgspec.Struct], None]


def checked(path: str) -> str:
    """``path``, if it can be one of a haul: it leads nowhere else.

    Raises:
        PeerError: it cannot.
    """
    if len(path) > 512 or not PATH.fullmatch(path) or ".." in path.split("/"):
        raise PeerError(f"no file that is hauled is called {path[:80]!r}")
    return path


class Giving:
    """What is sent: open files."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._open: dict[str, int] = {}

    def add(self, path: str, fd: int) -> None:
        """This file may be asked for; it is ours to close from now on."""
        self._open[path] = fd

    def give(self, said: hostwire.Give) -> bool:
        """Send what is asked for; whether it was the last of the file.

        Raises:
            PeerError: there is no such place in it.
        """
        fd = self._open.get(said.path)
        if fd is None:
            self._say(hostwire.Load(said.path, 0, -1, b""))
            return False
        size = os.fstat(fd).st_size
        if not 0 <= said.at <= size:
            raise PeerError(f"byte {said.at} is wanted of {said.path}, which has {size}")
        data = os.pread(fd, hostwire.PART, said.at)
        self._say(hostwire.Load(said.path, said.at, size, data))
        return said.at + len(data) >= size

    def drop(self, path: str) -> None:
        """Nobody needs it any more. Twice is fine."""
        fd = self._open.pop(path, None)
        if fd is not None:
            os.close(fd)

    def close(self) -> None:
        """All of them."""
        for path in list(self._open):
            self.drop(path)


class _Coming:
    """One file on its way."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.asked = 0
        self.here = 0
        self.size: int | None = None

    def holds(self, data: bytes) -> bool:
        """Whether there was room for it: else the file is offered again with the next stay."""
        try:
            written = os.write(self.fd, data)
        except OSError:
            return False
        self.here += written
        return written == len(data)


class Taking:
    """What is fetched, in the order in which it was offered."""

    def __init__(self, say: Say, *, place: Callable[[str], str], done: Callable[[str, str], None]) -> None:
        """``place(path)``: the name of a new file for that; empty: it is not wanted. ``done(path, place)``:
        it is on the disk there; with an empty place: it could not be had."""
        self._say = say
        self._place = place
        self._done = done
        self._waiting: deque[str] = deque()
        self._now = ""
        self._coming: _Coming | None = None

    @property
    def busy(self) -> bool:
        """Whether something is to come."""
        return self._coming is not None

    def fetch(self, path: str) -> None:
        """This is wanted, too."""
        self._waiting.append(checked(path))
        self._go_on()

    def take(self, said: hostwire.Load) -> None:
        """A part has come; one of a file that was given up is left."""
        coming = self._coming
        if coming is None or said.path != self._now:
            return
        if said.size < 0 or said.at != coming.here or not coming.holds(said.data):
            self._end(whole=False)
            return
        coming.size = said.size
        if coming.here >= coming.size:
            self._end(whole=True)
        elif said.data:
            self._ask(coming)
        else:
            self._end(whole=False)

    def close(self) -> None:
        """Nothing more comes: whoever waits hears so."""
        waiting = [*([self._now] if self._now else []), *self._waiting]
        self._waiting.clear()
        self._let_go()
        for path in waiting:
            self._done(path, "")

    def _go_on(self) -> None:
        while self._coming is None and self._waiting:
            self._now = self._waiting.popleft()
            place = self._place(self._now)
            fd = _made(place) if place else None
            if fd is None:
                self._done(self._now, "")
                continue
            self._coming = _Coming(fd)
            self._ask(self._coming)

    def _ask(self, coming: _Coming) -> None:
        """For the first part alone, which tells how long it is; then ahead of what is here."""
        ahead = AHEAD if coming.size is not None else 1
        most = 1 if coming.size is None else coming.size
        while coming.asked < min(most, coming.here + ahead * hostwire.PART):
            self._say(hostwire.Give(self._now, coming.asked))
            coming.asked += hostwire.PART

    def _end(self, *, whole: bool) -> None:
        path = self._now
        self._done(path, self._let_go(whole=whole))
        self._go_on()

    def _let_go(self, *, whole: bool = False) -> str:
        """Close what is open; its name, if it is all there and on the disk."""
        coming, path, self._coming, self._now = self._coming, self._now, None, ""
        if coming is None:
            return ""
        place = self._place(path)
        try:
            if whole:
                os.fsync(coming.fd)
        except OSError:
            whole = False
        os.close(coming.fd)
        if not whole:
            with suppress(OSError):
                os.unlink(place)
        return place if whole else ""


def _made(place: str) -> int | None:
    try:
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        return os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
