"""How long what is over is kept: finished jobs by age and number, dead ones for ever.

Who keeps a store open (a supervisor, or the hub of a broker) sees to it in passing, a few rows at a time, so
nobody waits for it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, Container, Iterator, Tuple

from penstock.tasks import outputs
from penstock.tasks.home import Home
from penstock.tasks.keeping import DAY, Keeping

if TYPE_CHECKING:  # any run may be told how long jobs are kept, though it has none
    from penstock.tasks.store import Store

FEW = 500
"""Jobs that go with one commit."""
HOUR = 3_600_000
SOON, LATER = 1_000, 60_000
"""Milliseconds until jobs that are over are looked through again: where many are to go, and else."""
GRACE = DAY
"""A file that no job knows is left alone for so long: it may be there before the row that names it."""


class Broom:
    """What one process does for it."""

    def __init__(self, store: Store, home: Home, keeping: Keeping, now: int, *, first: int = 0) -> None:
        """``home``: what lies beside the store; ``now``: ms since 1970; ``first``: so many ms later files are
        swept for the first time, as there may be jobs that the store is to hear of yet."""
        self._store, self._home, self._keeping = store, home, keeping
        self.due = now
        """When it is worth while to come by again."""
        self._sweep_at = now + first

    def pass_by(self, now: int) -> None:
        """Forget some of what is over, and soon again if there is more: also who is never idle gets rid of
        what he has done.

        Raises:
            sqlite3.Error: the disk is full; nothing has changed.
        """
        if now < self.due:
            return
        gone = tidy(self._store, self._keeping, now)
        self.due = now + (SOON if gone >= FEW else LATER)
        if now >= self._sweep_at:
            sweep(self._store, self._home, now)
            self._sweep_at = now + DAY


def tidy(store: Store, keeping: Keeping, now: int) -> int:
    """Forget some of what is to be kept no longer; how many jobs. ``FEW``: there may be more.

    Raises:
        sqlite3.Error: the disk is full; nothing has changed.
    """
    gone = store.forget(before=now - keeping.age, limit=FEW)
    surplus = _over(store) - keeping.jobs
    if gone < FEW and surplus > 0:
        gone += store.forget(before=2**62, limit=min(FEW - gone, surplus))
    return gone


def _over(store: Store) -> int:
    counts = store.depths().values()
    return sum(count.get("done", 0) + count.get("cancelled", 0) for count in counts)


def sweep(store: Store, home: Home, now: int) -> int:
    """Remove what lies beside the store and belongs to no job and no letter: its owner was killed between a
    file and a commit. How many files and directories."""
    jobs = {id for (id,) in store.db.execute("SELECT id FROM job")}
    letters = {name for (name,) in store.db.execute("SELECT name FROM letter")}
    swept = 0
    for path, owner in _lying(store.beside.folder, home):
        known: Container[str] = letters if path.endswith(".letter") else jobs
        if owner not in known and _is_old(path, now):
            _remover(path)(path)
            swept += 1
    return swept


def sweep_apart(home: Home, keeping: Keeping, now: int) -> int:
    """Remove old logs where jobs go over a broker and the store is elsewhere: it has their ends; and old
    drafts and results of a supervisor that was killed before they were handed over. How many.

    What jobs have published stays, and what lies in parts of a depot. Where there is a store, who keeps
    that sees to all of it.
    """
    if os.path.exists(home.store):
        return 0
    swept = 0
    for path, _ in _lying(home.files, home):
        if _is_old(path, now - keeping.age):
            _remover(path)(path)
            swept += 1
    return swept


def _lying(files: str, home: Home) -> Iterator[Tuple[str, str]]:
    """What is there, each with whose it is, as its name says."""
    for folder in (files, os.path.dirname(home.log("", 0)), home.outs):
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if folder == home.outs and not entry.name.startswith("."):
                    continue  # published: only who forgets a job removes that
                if folder == files and entry.is_dir():
                    continue  # a part of a depot
                stem = entry.name[: -len(".letter")] if entry.name.endswith(".letter") else ""
                yield entry.path, stem or entry.name.lstrip(".").partition(".")[0]


def _is_old(path: str, now: int) -> bool:
    with suppress(FileNotFoundError):
        return os.stat(path).st_mtime * 1000 < now - GRACE
    return False


def _remover(path: str) -> Callable[[str], None]:
    return outputs.discard if os.path.isdir(path) else _unlink


def _unlink(path: str) -> None:
    with suppress(OSError):  # one that may not be removed keeps nobody from the rest
        os.unlink(path)
