"""Runs in the supervisor: what has happened in a run, with its time, in a file and to whoever follows.

    <state>/events/<run>.jsonl        an event a line, in the order in which they came
    <state>/events/<run>.old.jsonl    those before, once the first has grown full

Each line carries its number, from 0 without a gap. So where the oldest were let go, or the disk was full
for a while, whoever reads sees that, and how many are missing. (The command line reads these files when
the run is over: ``read`` and ``latest`` run there.)
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line only reads, and has no need of msgspec for that
    from penstock.observe.events import Event

LARGEST = 4 * 1024 * 1024
"""Bytes of one of the two files; beyond, the older one makes room."""
RUNS = 10
"""So many runs keep their events; the oldest are removed when another begins."""
_END, _OLD_END = ".jsonl", ".old.jsonl"

Record = dict[str, Any]
Listener = Callable[[Record], None]


class Journal:
    """The events of one run. That the disk is full ends no run: what could not be written is missing."""

    def __init__(self, state_dir: str, run: str, *, now: Callable[[], float] = time.time) -> None:
        """Make room for it. ``now``: the time of day."""
        self._directory = os.path.join(state_dir, "events")
        self._run = run
        self._path = _path(self._directory, run, _END)
        self._now = now
        self._count = 0
        self._size = 0
        self._followers: list[Listener] = []
        try:
            os.makedirs(self._directory, exist_ok=True)
            _forget(self._directory, keep=RUNS - 1)
        except OSError:
            pass  # the first event will find the same, and those that follow need no file

    def hear(self, event: Event) -> None:
        """The listener to give to the supervisor."""
        record = {"n": self._count, "at": round(self._now(), 3), **event.document()}
        self._count += 1
        try:
            self._write(json.dumps(record).encode() + b"\n")
        except OSError:
            pass
        for follower in tuple(self._followers):
            follower(record)

    def follow(self, follower: Listener) -> list[Record]:
        """What has happened so far; from now on ``follower`` hears the rest."""
        self._followers.append(follower)
        return list(read(self._directory, self._run))

    def leave(self, follower: Listener) -> None:
        """Tell it no more."""
        self._followers.remove(follower)

    def _write(self, line: bytes) -> None:
        if self._size + len(line) > LARGEST:
            os.replace(self._path, _path(self._directory, self._run, _OLD_END))
            self._size = 0
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            # At our own place: the rest of a line that a full disk has cut is written over.
            if os.pwrite(fd, line, self._size) < len(line):
                os.ftruncate(fd, self._size)
            else:
                self._size += len(line)
        finally:
            os.close(fd)


def read(directory: str, run: str) -> Iterator[Record]:
    """What is kept of a run's events, the oldest first."""
    for end in (_OLD_END, _END):
        try:
            with open(_path(directory, run, end), encoding="utf-8", errors="replace") as file:
                lines = file.readlines()
        except OSError:
            continue
        for line in lines:
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):  # the supervisor was killed in the middle of it
                return


def latest(directory: str) -> str | None:
    """The run that was the last to write there; ``None``: there is none."""
    found = _runs(directory)
    return found[-1] if found else None


def _runs(directory: str) -> list[str]:
    """Those that have events there, the last to write last."""
    try:
        names = [name for name in os.listdir(directory) if name.endswith(_END) and _OLD_END not in name]
        names.sort(key=lambda name: os.stat(os.path.join(directory, name)).st_mtime_ns)
    except OSError:
        return []
    return [name.removesuffix(_END) for name in names]


def _forget(directory: str, *, keep: int) -> None:
    for run in _runs(directory)[:-keep]:
        for end in (_END, _OLD_END):
            try:
                os.unlink(_path(directory, run, end))
            except FileNotFoundError:
                pass


def _path(directory: str, run: str, end: str) -> str:
    return os.path.join(directory, run + end)
