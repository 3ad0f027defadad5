"""The workers' log files of one pipeline as one stream of lines.

Each worker writes its own file, ``<stage>.<replica>.log``, and a replica that was restarted goes on in
it. Lines are merged by the time they begin with; a line without one (a traceback, a ``print``) stays
behind the line before it. Merging never changes the order within a file.
"""

from __future__ import annotations

import heapq
import re
from collections import deque
from pathlib import Path
from typing import Callable, Iterable, Iterator, NamedTuple

from penstock.errors import UserError
from penstock.pipeline.place import near

TIME = re.compile(r"(?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:[.,]\d+)?")


class NoSuchLog(UserError):
    """No worker of that name has written anything."""

    exit_code = 3


class Line(NamedTuple):
    """One line of one worker."""

    label: str
    """``detect/0``."""
    text: str


class Log:
    """One worker's file, read from where reading stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        stage, _, replica = path.stem.rpartition(".")
        self.stage = stage
        self.label = f"{stage}/{replica}"
        self._position = 0

    def more(self, *, ended: bool = False) -> Iterator[Line]:
        """The whole lines that have come since; with ``ended`` also a last one without its end."""
        with open(self.path, "rb") as file:
            if self.path.stat().st_size < self._position:
                self._position = 0  # somebody emptied it
            file.seek(self._position)
            for raw in file:
                if not raw.endswith(b"\n") and not ended:
                    return
                self._position += len(raw)
                yield Line(self.label, raw.decode(errors="replace").rstrip("\r\n"))


class Logbook:
    """The logs in one directory, those that come later too."""

    def __init__(self, directory: Path, wanted: Iterable[str] = ()) -> None:
        """``wanted`` names stages (``detect``) or workers (``detect/1``); none: all.

        Raises:
            NoSuchLog: one of them has written nothing.
        """
        self.directory = directory
        self._wanted = frozenset(wanted)
        self._known: dict[Path, Log] = {}
        for name in sorted(self._wanted):
            if not any(name in (log.stage, log.label) for log in self.logs()):
                every = ", ".join(sorted((log.label for log in self.there()), key=_natural)) or "none yet"
                raise NoSuchLog(f"{name} has no log in {near(str(directory))}; there is {every}")

    def logs(self) -> list[Log]:
        """Those that are there now, in the order of their names."""
        for log in self.there():
            if not self._wanted or self._wanted & {log.stage, log.label}:
                self._known.setdefault(log.path, log)
        return sorted(self._known.values(), key=lambda log: _natural(log.label))

    def there(self) -> Iterable[Log]:
        """All of them, wanted or not."""
        return map(Log, self.directory.glob("*.*.log"))

    def merged(self, last: int | None = None, *, ended: bool = True) -> Iterator[Line]:
        """All lines by time; with ``last`` only so many of each worker's latest."""
        timed = [_timed(log.more(ended=ended), last) for log in self.logs()]
        return (line for _, line in heapq.merge(*timed, key=lambda each: each[0]))

    def follow(self, runs: Callable[[], bool], pause: Callable[[], None]) -> Iterator[Line]:
        """New lines as they come, until ``runs`` says no and all is read; ``pause`` between looks."""
        alive = True
        while alive:
            alive = runs()  # asked before reading, so that the last words are still read
            quiet = True
            for log in self.logs():
                for line in log.more(ended=not alive):
                    quiet = False
                    yield line
            if alive and quiet:
                pause()


def _timed(lines: Iterable[Line], last: int | None) -> Iterator[tuple[str, Line]]:
    timed = _with_time(lines)
    return timed if last is None else iter(deque(timed, maxlen=last))


def _with_time(lines: Iterable[Line]) -> Iterator[tuple[str, Line]]:
    time = ""
    for line in lines:
        found = TIME.match(line.text)
        time = found[0] if found else time
        yield time, line


def _natural(label: str) -> tuple[str, int]:
    stage, _, replica = label.rpartition("/")
    return stage, int(replica) if replica.isdigit() else -1
