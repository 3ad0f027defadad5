"""The store of jobs: what of them is on disk. One SQLite file that all processes of a machine share.

Every method is one transaction. A ``Store`` belongs to the thread that made it, or, ``shared``, to
some that take turns. What an attempt writes carries its fence, and counts only while that attempt is the one
that runs: whoever was given up cannot overwrite what the next one does.
"""

from __future__ import annotations

import json
import random
import sqlite3
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import msgspec

from penstock.tasks import freight, rows, schema
from penstock.tasks import statements as sql
from penstock.tasks.beside import Beside
from penstock.tasks.filter import ANY, Filter
from penstock.tasks.home import Home
from penstock.tasks.job import SOMEDAY, Attempt, Claim, JobRow, NewJob, State, wall
from penstock.tasks.needs import Needs
from penstock.tasks.schema import writing
from penstock.tasks.settle import Closing, Done, Failed, Finish, Returned, Standing, verdict

Now = Callable[[], int]

_pack = msgspec.msgpack.Encoder().encode


class Word(NamedTuple):
    """How far a running job says it is."""

    id: str
    fence: int
    progress: Optional[float] = None
    numbers: Mapping[str, Any] = {}
    resume_uri: str = ""
    """Its last checkpoint; empty: as before."""
    resume_step: int = 0


class Store:
    """What a thread may do with the jobs of a machine.

    Any method may raise ``sqlite3.Error``: the disk is full, the file is damaged. Then nothing has changed.
    """

    def __init__(
        self,
        path: str,
        *,
        now: Now = wall,
        jitter: Callable[[], float] = random.random,
        shared: bool = False,
    ) -> None:
        """Open it, and make it if it is not there; ``:memory:`` is a store that ends with this object.

        Args:
            path: The file. What is too large for it lies beside it, in ``jobs/files/``.
            now: Milliseconds since 1970.
            jitter: From 0 to 1, each time another: how far pauses before new attempts are spread.
            shared: By threads that take turns.

        Raises:
            EnvironmentFault: it cannot be opened.
        """
        self.path = path
        self._now = now
        self._jitter = jitter
        self._db = schema.connect(path, shared=shared)
        self.beside = Beside(None if path == ":memory:" else Home(path))
        self.needs = Needs(self._db, self.beside.put)

    def close(self) -> None:
        """Let go. Twice is fine."""
        self._db.close()

    @property
    def db(self) -> sqlite3.Connection:
        """The connection: for what else is kept in the same file, and for several acts in one transaction."""
        return self._db

    @property
    def id(self) -> str:
        """Its own: no other store has it."""
        return str(self._db.execute("SELECT id FROM store").fetchone()[0])

    # Who submits -----------------------------------------------------------------------------------------

    def submit(self, jobs: Sequence[NewJob]) -> List[str]:
        """Put them on disk; their ids, or, where one with the same unique key is live, the id of that one.

        Raises:
            OSError: large arguments could not be written; nothing has changed.
            ValueError: one names a file that cannot be its own.
        """
        lying = [self.beside.lying(job) for job in jobs]
        written = ["" if job.needs else self.beside.put(f"{job.id}.args", job.args) for job in jobs]
        paths = [one or other for one, other in zip(lying, written)]
        now = self._now()
        try:
            with writing(self._db):
                ids = [self._submit(job, path, now) for job, path in zip(jobs, paths)]
                taken = {job.id: id for job, id in zip(jobs, ids)}
                for job in jobs:
                    if job.needs:
                        self.needs.add(job, [taken.get(each, each) for each in job.needs], now)
        except BaseException:
            self.beside.drop(written)
            raise
        self.beside.drop_after(self._db, [path for job, id, path in zip(jobs, ids, paths) if id != job.id])
        return ids

    def _submit(self, job: NewJob, path: str, now: int) -> str:
        run_at = SOMEDAY if job.needs else max(job.run_at, now)
        values = (
            job.id,
            job.group,
            job.task,
            "scheduled" if run_at > now else "ready",
            job.priority,
            run_at,
            now,
            b"" if path else job.args,
            path,
            _pack(job.rules),
            job.rules.gpus,
            job.unique or None,
            job.by,
        )
        if self._db.execute(sql.SUBMIT, values).rowcount:
            return job.id
        return str(self._db.execute(sql.KNOWN, (job.id, job.group, job.unique)).fetchone()[0])

    def add_group(self, name: str) -> None:
        """There is a group of that name: jobs may be submitted to it."""
        if not self._db.execute("SELECT 1 FROM grp WHERE name = ?", (name,)).fetchone():
            with writing(self._db):
                self._db.execute("INSERT INTO grp(name) VALUES (?) ON CONFLICT DO NOTHING", (name,))

    def groups(self) -> Dict[str, str]:
        """Those there are, each with why it is paused; empty: it is not."""
        found = self._db.execute("SELECT name, paused, why FROM grp ORDER BY name")
        return {name: (why or "paused") if paused else "" for name, paused, why in found}

    def pause(self, group: str, why: str = "") -> None:
        """Have nothing more of it begun. ``why``: in words for people; empty: somebody asked for it."""
        with writing(self._db):
            self._db.execute(sql.PAUSE, (group, why))

    def resume(self, group: str) -> None:
        """Let it go on."""
        with writing(self._db):
            self._db.execute("UPDATE grp SET paused = 0, why = '' WHERE name = ?", (group,))

    # Who runs --------------------------------------------------------------------------------------------

    def claim(self, owner: str, group: str, limit: int = 1, *, gpus: int = 0) -> List[Claim]:
        """Up to ``limit`` of those due in ``group``, first the highest priority, then the oldest; they are
        ``owner``'s now. ``gpus``: what needs more than so many is passed over."""
        now = self._now()
        with writing(self._db):
            self._db.execute(sql.PROMOTE, (now,))
            found = self._db.execute(sql.CLAIM, (owner, now, group, gpus, limit, group)).fetchall()
        return [rows.claim(row) for row in sorted(found, key=lambda row: (-row[-1], row[1]))]

    def next_due(self) -> Optional[int]:
        """When the next of those that wait for their time is due."""
        found = self._db.execute("SELECT MIN(run_at) FROM job WHERE state = 'scheduled'").fetchone()[0]
        return None if found is None or found >= SOMEDAY else int(found)

    def is_running(self, id: str, fence: int) -> bool:
        """Whether that attempt is the one that runs."""
        return self._db.execute(sql.STANDING, (id, fence)).fetchone() is not None

    def ending(self, owner: str) -> List[str]:
        """The ids of those that ``owner`` runs and that are to be ended."""
        return [row[0] for row in self._db.execute(sql.ENDING, (owner,))]

    def note(self, words: Iterable[Word]) -> List[str]:
        """Write down how far they are; the ids of those that are to be ended, or are nobody's any more."""
        with writing(self._db):
            return [word.id for word in words if not self._note(word)]

    def _note(self, word: Word) -> bool:
        """Whether it may go on."""
        values = {
            "id": word.id,
            "fence": word.fence,
            "progress": word.progress,
            "numbers": json.dumps(dict(word.numbers)) if word.numbers else None,
            "uri": word.resume_uri or None,
            "step": word.resume_step if word.resume_uri else None,
        }
        row = self._db.execute(sql.NOTE, values).fetchone()
        return row is not None and not row[0]

    def close_attempts(self, closings: Iterable[Closing]) -> List[Optional[State]]:
        """Write down how attempts ended and what becomes of their jobs: the state each has now; ``None``
        where that attempt was given up before, so that what it says counts no more.

        Raises:
            OSError: a large result could not be written; nothing has changed.
        """
        placed = [self._placed(closing) for closing in closings]
        now = self._now()
        with writing(self._db):
            states = [self._close(closing, now) for closing in placed]
        for closing, state in zip(placed, states):
            if state is None and isinstance(closing.outcome, Done) and not self._has(closing.outcome.path):
                self.beside.drop_after(self._db, [closing.outcome.path])
        return states

    def _has(self, path: str) -> bool:
        """Whether that is a result already: who has sent it may do so twice."""
        return self._db.execute("SELECT 1 FROM job WHERE result_path = ?", (path,)).fetchone() is not None

    def _placed(self, closing: Closing) -> Closing:
        """With a large result in a file of its own."""
        done = closing.outcome
        if not isinstance(done, Done) or done.path:
            return closing
        path = self.beside.put(f"{closing.id}.{closing.fence}.result", done.result)
        return closing._replace(outcome=Done(path=path)) if path else closing

    def _close(self, closing: Closing, now: int) -> Optional[State]:
        row = self._db.execute(sql.STANDING, (closing.id, closing.fence)).fetchone()
        if row is None:
            return None
        outcome = closing.outcome
        decided = verdict(Standing(row[0], row[1], bool(row[2]), rows.rules(row[3])), outcome, self._jitter())
        if not isinstance(outcome, Returned) or outcome.begun:
            self._db.execute(sql.ATTEMPT, rows.attempt(closing, row[4], now))
        is_cancelled = isinstance(decided, Finish) and decided.state == "cancelled"
        cause = outcome.error if isinstance(outcome, Failed) and not is_cancelled else ""
        common = {"id": closing.id, "failures": decided.failures, "cause": cause}
        if isinstance(decided, Finish):
            result, path = (outcome.result, outcome.path) if isinstance(outcome, Done) else (None, "")
            self._db.execute(
                sql.FINISH, {**common, "state": decided.state, "now": now, "result": result, "path": path}
            )
            self.needs.settled(closing.id, decided.state, now)
            return decided.state
        due = closing.due or now + round(decided.after * 1000)
        state: State = "scheduled" if due > now else "ready"
        self._db.execute(
            sql.AGAIN, {**common, "state": state, "preemptions": decided.preemptions, "run_at": due}
        )
        return state

    # Who steers ------------------------------------------------------------------------------------------

    def cancel(self, id: str, why: str = "") -> Optional[State]:
        """Have it never begun (again): its state now. ``running``: it is told to end, and will be cancelled
        when it has. ``None``: there is no such job. ``why``: its cause."""
        now = self._now()
        with writing(self._db):
            if self._db.execute(sql.CANCEL, (now, why, why, id)).rowcount:
                self.needs.settled(id, "cancelled", now)
            self._db.execute(sql.END, (why, why, id))
            row = self._db.execute("SELECT state FROM job WHERE id = ?", (id,)).fetchone()
        return None if row is None else row[0]

    def requeue(self, ids: Iterable[str]) -> List[str]:
        """Put dead and cancelled ones back, with no failures; the ids of those that were. (Not one whose
        unique key another has now, nor one that needs another which is dead.)"""
        now = self._now()
        with writing(self._db):
            return [id for id in ids if self._requeue(id, now)]

    def _requeue(self, id: str, now: int) -> bool:
        if self.needs.are_known(id):
            is_back = self.needs.wait_again(id, now)
        else:
            is_back = bool(self._db.execute(sql.REQUEUE, (now, id)).rowcount)
        if is_back:
            self.needs.put_back(id, now)
        return is_back

    def amend(self, id: str, args: bytes, file: str = "") -> bool:
        """Put a dead or cancelled one back as ``requeue`` does, with other arguments, or those that lie in
        ``file`` already; whether it was."""
        path = self.beside.other(id, args, file)
        with writing(self._db):
            old = self._db.execute("SELECT args_path FROM job WHERE id = ?", (id,)).fetchone()
            is_back = bool(self.requeue([id]))
            if is_back:
                self._db.execute(sql.AMEND, (b"" if path else args, path, id))
        self.beside.drop_after(self._db, old if is_back else [path])
        return is_back

    def forget(self, *, before: int, limit: int = 500) -> int:
        """Remove jobs that were done or cancelled before that time, up to ``limit``, with all that is known
        of them; how many. Dead ones stay until somebody decides."""
        with writing(self._db):
            found = self._db.execute(sql.FORGOTTEN, (before, limit)).fetchall()
            paths = self._remove(found)
        self.beside.drop_after(self._db, paths, [row[1] for row in found])
        return len(found)

    def remove(self, ids: Iterable[str]) -> List[str]:
        """Remove these, dead ones too, unless they wait or run; the ids of those that were."""
        with writing(self._db):
            found = [self._db.execute(sql.OVER, (id,)).fetchone() for id in ids]
            over = [row for row in found if row is not None]
            paths = self._remove(over)
        removed = [row[1] for row in over]
        self.beside.drop_after(self._db, paths, removed)
        return removed

    def _remove(self, over: Iterable[Sequence[Any]]) -> List[str]:
        """The paths of what lies beside the store, logs included."""
        paths: List[str] = []
        for seq, id, *beside in over:
            fences = self._db.execute("DELETE FROM attempt WHERE job = ? RETURNING fence", (id,)).fetchall()
            paths += [*beside, *self.beside.logs(id, (fence for (fence,) in fences))]
            self.needs.forget(id)
            self._db.execute("DELETE FROM job WHERE seq = ?", (seq,))
        return paths

    # Who asks --------------------------------------------------------------------------------------------

    def job(self, id: str) -> Optional[JobRow]:
        """That one, by its id or its number."""
        row = self._db.execute(sql.BY_NUMBER if id.isdigit() else sql.BY_ID, (id,)).fetchone()
        return None if row is None else rows.job(row)

    def jobs(self, where: Filter = ANY, *, limit: int = -1) -> List[JobRow]:
        """Those that match, newest first; ``limit`` at most, -1: all."""
        tests, values = where.sql()
        return [rows.job(row) for row in self._db.execute(sql.JOBS.format(tests), (*values, limit))]

    def attempts(self, id: str) -> List[Attempt]:
        """Its attempts that have ended, oldest first."""
        return [Attempt(*row) for row in self._db.execute(sql.ATTEMPTS, (id,))]

    def result(self, id: str) -> Optional[bytes]:
        """What it gave; ``None``: it is not done, or not there.

        Raises:
            OSError: the file of a large one is gone.
        """
        at = self.result_at(id)
        return None if at is None else freight.whole(*at)

    def result_at(self, id: str) -> Optional[Tuple[Optional[bytes], str]]:
        """That, or the path of its file."""
        row: Optional[Tuple[Optional[bytes], str]] = self._db.execute(sql.RESULT, (id,)).fetchone()
        return row

    def arguments(self, id: str) -> Optional[bytes]:
        """What it was submitted with; ``None``: it is not there.

        Raises:
            OSError: the file of large ones is gone.
        """
        at = self.arguments_at(id)
        return None if at is None else freight.whole(*at)

    def arguments_at(self, id: str) -> Optional[Tuple[Optional[bytes], str]]:
        """That, or the path of its file."""
        row: Optional[Tuple[Optional[bytes], str]] = self._db.execute(sql.ARGUMENTS, (id,)).fetchone()
        return row

    def depths(self) -> Dict[str, Dict[str, int]]:
        """By group and state, how many there are."""
        found: Dict[str, Dict[str, int]] = {}
        for group, state, count in self._db.execute(sql.DEPTHS):
            found.setdefault(group, {})[state] = count
        return found

    def oldest(self, group: str) -> Optional[int]:
        """When that was submitted which has been ready the longest, in ``group``."""
        found = self._db.execute(sql.OLDEST, (group,)).fetchone()[0]
        return None if found is None else int(found)

    def version(self) -> int:
        """Changes whenever another connection has committed anything."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])
