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
from typing import Iterable, Iterator, NamedTuple

from penstock.errors import UserError

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


def logs_of(directory: Path, wanted: Iterable[str] = ()) -> list[Log]:
    """The logs in ``directory``; ``wanted`` names stages (``detect``) or workers (``detect/1``).

    Raises:
        NoSuchLog: one of them has none.
    """
    found = sorted((Log(path) for path in directory.glob("*.*.log")), key=lambda log: _natural(log.label))
    names = list(wanted)
    for name in names:
        if not any(name in (log.stage, log.label) for log in found):
            raise NoSuchLog(f"{name} has no log in {directory}; there is {_list(found)}")
    return [log for log in found if not names or log.stage in names or log.label in names]


def merged(logs: Iterable[Log], last: int | None = None) -> Iterator[Line]:
    """All lines by time; with ``last`` only so many of each worker's latest."""
    return (line for _, line in heapq.merge(*(_timed(log, last) for log in logs), key=lambda timed: timed[0]))


def _timed(log: Log, last: int | None) -> Iterator[tuple[str, Line]]:
    lines = _with_time(log.more(ended=True))
    return lines if last is None else iter(deque(lines, maxlen=last))


def _with_time(lines: Iterable[Line]) -> Iterator[tuple[str, Line]]:
    time = ""
    for line in lines:
        found = TIME.match(line.text)
        time = found[0] if found else time
        yield time, line


def _natural(label: str) -> tuple[str, int]:
    stage, _, replica = label.rpartition("/")
    return stage, int(replica) if replica.isdigit() else -1


def _list(logs: list[Log]) -> str:
    return ", ".join(log.label for log in logs) or "none yet"
