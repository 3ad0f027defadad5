"""Who runs jobs, and who does no more: learnt from the kernel, which frees a lock when its holder ends.

A supervisor holds a lock on a file of its own for as long as it lives, and has a row in the store that names
it. A free lock means that its holder is dead, by whatever cause; a stopped or starved one keeps it. So
whoever finds a free lock may give the dead one's jobs back at once, and never takes them from the living.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import Callable, List, NamedTuple, Sequence

from penstock.lockfile import is_held
from penstock.tasks.job import new_id, wall
from penstock.tasks.schema import writing
from penstock.tasks.settle import Closing, Failed
from penstock.tasks.store import Store

CAUSE = "its supervisor was killed"


class Presence:
    """That of one supervisor, while it lives."""

    def __init__(self, directory: str) -> None:
        """Take a lock in ``directory``, which is made if it is not there.

        Raises:
            OSError: no file can be made there.
        """
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self.id = new_id()
        """New with every process: nobody is ever taken for somebody who was there before."""
        self.path = os.path.join(directory, f"{self.id}.lock")
        self._lock = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def announce(self, store: Store, groups: Sequence[str], workers: int) -> None:
        """Have others know of us. After that jobs may be claimed in our name."""
        with writing(store.db):
            for group in groups:
                store.add_group(group)
            store.db.execute(
                "INSERT INTO worker(id, grp, pid, lock_path, started_at, slots) VALUES (?, ?, ?, ?, ?, ?)",
                (self.id, " ".join(groups), os.getpid(), self.path, wall(), workers),
            )

    def leave(self, store: Store) -> None:
        """Go, with no job left."""
        with writing(store.db):
            store.db.execute("DELETE FROM worker WHERE id = ?", (self.id,))
        self.close()

    def close(self) -> None:
        """Let go of the lock. Twice is fine."""
        if self._lock >= 0:
            with suppress(FileNotFoundError):
                os.unlink(self.path)
            os.close(self._lock)
            self._lock = -1


class Orphan(NamedTuple):
    """A job whose supervisor has died."""

    id: str
    fence: int
    group: str
    task: str
    owner: str
    seq: int
    """Its number, for people."""


def neighbours(store: Store, mine: Presence) -> List[int]:
    """The process ids of the others."""
    rows = store.db.execute("SELECT pid FROM worker WHERE id <> ?", (mine.id,))
    return [int(row[0]) for row in rows]


def dead(store: Store) -> List[str]:
    """The ids of supervisors that have died and whom nobody has buried."""
    rows = store.db.execute("SELECT id, lock_path FROM worker").fetchall()
    return [str(id) for id, path in rows if not is_held(path)]


def _killed(orphan: Orphan) -> Closing:
    return Closing(orphan.id, orphan.fence, Failed("crash", CAUSE))


def bury(store: Store, ids: Sequence[str], closing: Callable[[Orphan], Closing] = _killed) -> List[Orphan]:
    """Give back what these had in hand: to each of their jobs that is a failure, ``crash``. ``closing``: how
    the end of such an attempt is written down."""
    with writing(store.db):
        for id in ids:
            row = store.db.execute("DELETE FROM worker WHERE id = ? RETURNING lock_path", (id,)).fetchone()
            if row:
                with suppress(FileNotFoundError):
                    os.unlink(row[0])
        found = [
            Orphan(*row)
            for row in store.db.execute(
                "SELECT id, fence, grp, task, owner, seq FROM job WHERE state = 'running'"
                " AND owner NOT IN (SELECT id FROM worker)"
            )
        ]
        store.close_attempts([closing(each) for each in found])
    return found
