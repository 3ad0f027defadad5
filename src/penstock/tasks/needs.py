"""Jobs that wait for others, whose results come first among their arguments.

    need(job, place, needed, met, run_at)      one row for each result that a job waits for

Such a job is ``scheduled`` for ``SOMEDAY``. In the transaction that makes the last of those it needs
``done``, the results are put before its own arguments, its rows go, and it is a job like any other: whoever
runs it knows nothing of all this. If one that it needs is dead or cancelled, it is cancelled, with the cause;
it waits again when that one is put back. If the file of a result is gone by then, it is dead itself.
"""

from __future__ import annotations

import sqlite3
from typing import Callable, List

from penstock.tasks import freight
from penstock.tasks.job import SOMEDAY, NewJob, State

ADD = """
INSERT OR IGNORE INTO need(job, place, needed, met, run_at)
SELECT id, ?, ?, EXISTS (SELECT 1 FROM job WHERE id = ? AND state = 'done'), ? FROM job
WHERE id = ? AND state = 'scheduled' AND run_at = ?"""
MEET = "UPDATE need SET met = 1 WHERE needed = ? RETURNING job"
WAITS = """
SELECT args FROM job WHERE id = ?1 AND state = 'scheduled' AND run_at = ?2
  AND NOT EXISTS (SELECT 1 FROM need WHERE job = ?1 AND NOT met)"""
INPUTS = """
SELECT job.result, job.result_path, need.run_at FROM need JOIN job ON job.id = need.needed
WHERE need.job = ? ORDER BY need.place"""
RELEASE = "UPDATE job SET args = ?, args_path = ?, run_at = ?, state = ? WHERE id = ?"
FALL = """
UPDATE job SET state = 'cancelled', finished_at = :now, cause = :why
WHERE id IN (SELECT job FROM need WHERE needed = :id) AND state = 'scheduled' AND run_at = :someday
RETURNING id"""
LOST = """
SELECT needed FROM need LEFT JOIN job ON job.id = need.needed
WHERE need.job = ? AND (job.id IS NULL OR job.state IN ('dead', 'cancelled'))"""
WAIT = """
UPDATE OR IGNORE job
SET state = 'scheduled', run_at = :someday, cancel = 0, finished_at = NULL, cause = ''
WHERE id = :id AND state IN ('cancelled', 'dead')"""
DIE = "UPDATE job SET state = 'dead', finished_at = ?, cause = ? WHERE id = ?"
FALLEN = """
SELECT job.id FROM need JOIN job ON job.id = need.job
WHERE need.needed = ? AND job.state = 'cancelled' AND NOT job.cancel"""
ABOUT = "SELECT seq, task, state, cause FROM job WHERE id = ?"


class Needs:
    """Of one store. Every method is a part of a transaction."""

    def __init__(self, db: sqlite3.Connection, put: Callable[[str, bytes], str]) -> None:
        """``put``: keeps bytes in a file, if they are too many; its path, else nothing."""
        self._db = db
        self._put = put
        self.has_released = False
        """Some have got all they needed. Who tells others takes it back."""

    def add(self, job: NewJob, needed: List[str], now: int) -> None:
        """It waits for these, from now on; they may be over already."""
        for place, each in enumerate(needed):
            self._db.execute(ADD, (place, each, each, job.run_at, job.id, SOMEDAY))
        self._look(job.id, now)

    def settled(self, id: str, state: State, now: int) -> None:
        """That job is ``done``, ``dead`` or ``cancelled``: what does that mean for those that need it?"""
        if state != "done":
            self._fall(id, now)
            return
        for (job,) in self._db.execute(MEET, (id,)).fetchall():
            self._release(job, now)

    def wait_again(self, id: str, now: int) -> bool:
        """Have one wait for what it needed, if that can still come; whether it does."""
        if self._lost(id) or not self._db.execute(WAIT, {"id": id, "someday": SOMEDAY}).rowcount:
            return False
        self._look(id, now)
        return True

    def put_back(self, id: str, now: int) -> None:
        """That job was put back: those that were cancelled because of it wait for it again."""
        waiting = [id]
        while waiting:
            fallen = [row[0] for row in self._db.execute(FALLEN, (waiting.pop(),))]
            waiting += [each for each in fallen if self.wait_again(each, now)]

    def are_known(self, id: str) -> bool:
        """Whether that job still needs any."""
        return self._db.execute("SELECT 1 FROM need WHERE job = ?", (id,)).fetchone() is not None

    def forget(self, id: str) -> None:
        """That job is removed."""
        self._db.execute("DELETE FROM need WHERE job = ?", (id,))

    def _look(self, id: str, now: int) -> None:
        """Release one that has all it needs; cancel one that cannot get it any more."""
        lost = self._lost(id)
        if lost:
            self._fall(lost, now)
        else:
            self._release(id, now)

    def _lost(self, id: str) -> str:
        """One that it needs and that is dead, cancelled or gone; empty: there is none."""
        row = self._db.execute(LOST, (id,)).fetchone()
        return row[0] if row else ""

    def _release(self, id: str, now: int) -> None:
        """If it waits, and has all it needs."""
        own = self._db.execute(WAITS, (id, SOMEDAY)).fetchone()
        if own is None:
            return
        inputs = self._db.execute(INPUTS, (id,)).fetchall()
        try:
            body = freight.together([own[0], *(freight.whole(result, path) for result, path, _ in inputs)])
        except FileNotFoundError as error:
            self._db.execute(DIE, (now, f"the file of a result that it needs is gone: {error}", id))
            self._fall(id, now)
            return
        path = self._put(f"{id}.args", body)
        run_at = max(now, *(row[2] for row in inputs))
        state = "scheduled" if run_at > now else "ready"
        self._db.execute(RELEASE, (b"" if path else body, path, run_at, state, id))
        self.forget(id)
        self.has_released = True

    def _fall(self, id: str, now: int) -> None:
        """Cancel all that need that one, and all that need those."""
        falling = [id]
        while falling:
            each = falling.pop()
            values = {"id": each, "now": now, "why": self._why(each), "someday": SOMEDAY}
            falling += [row[0] for row in self._db.execute(FALL, values)]

    def _why(self, id: str) -> str:
        row = self._db.execute(ABOUT, (id,)).fetchone()
        if row is None:
            return f"it needs job {id}, which is gone"
        seq, task, state, cause = row
        told = cause if cause.startswith("it needs ") else f"it needs job {seq} ({task}), which is {state}"
        return told if told is cause or not cause else f"{told}: {cause}"
