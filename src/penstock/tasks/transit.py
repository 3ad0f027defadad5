"""What a store keeps besides where jobs go over a broker: those that are to be published, words that came too
early, and who stands for whom.

The tables and triggers below are made in the store of a hub, and in no other. A trigger and not a call: any
way by which a job comes to wait (put back, submitted for later, freed by another) has it published.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import msgspec
from msgspec.structs import replace

from penstock.tasks import freight
from penstock.tasks.admission import Admission, Begin, Over, Place, Repeat, Unknown, admit
from penstock.tasks.freight import LARGEST
from penstock.tasks.job import SOMEDAY, Claim, NewJob, Rules, State, new_id, wall
from penstock.tasks.schema import writing
from penstock.tasks.settle import Closing, Done, Failed
from penstock.tasks.store import Now, Store

TABLES = (
    "CREATE TABLE IF NOT EXISTS outbox(job TEXT PRIMARY KEY, due INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS outbox_due ON outbox(due)",
    """CREATE TABLE IF NOT EXISTS early(
         job TEXT NOT NULL, fence INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,
         PRIMARY KEY(job, fence)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS alias(
         id TEXT PRIMARY KEY, job TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TRIGGER IF NOT EXISTS job_is_submitted AFTER INSERT ON job
       WHEN new.state IN ('ready', 'scheduled') BEGIN
         INSERT OR REPLACE INTO outbox VALUES (new.id, new.run_at);
       END""",
    # From 'running' and 'scheduled' it goes back by a copy, that whoever ran it has published.
    """CREATE TRIGGER IF NOT EXISTS job_is_put_back AFTER UPDATE OF state ON job
       WHEN new.state IN ('ready', 'scheduled') AND old.state NOT IN ('ready', 'scheduled', 'running') BEGIN
         INSERT OR REPLACE INTO outbox VALUES (new.id, new.run_at);
       END""",
    # It waits for another time now: what it needed is done, say.
    """CREATE TRIGGER IF NOT EXISTS job_has_another_time AFTER UPDATE OF run_at ON job
       WHEN new.state IN ('ready', 'scheduled') AND old.state IN ('ready', 'scheduled') BEGIN
         UPDATE outbox SET due = new.run_at WHERE job = new.id;
       END""",
    """CREATE TRIGGER IF NOT EXISTS job_is_gone AFTER DELETE ON job BEGIN
         DELETE FROM outbox WHERE job = old.id;
       END""",
    # Copies of it may come yet, and nothing is to come of them.
    """CREATE TRIGGER IF NOT EXISTS job_is_remembered AFTER DELETE ON job BEGIN
         INSERT OR IGNORE INTO alias VALUES (old.id, '', CAST(strftime('%s', 'now') AS INTEGER) * 1000);
       END""",
    """CREATE TRIGGER IF NOT EXISTS job_is_over AFTER UPDATE OF state ON job
       WHEN new.state NOT IN ('ready', 'scheduled') BEGIN
         DELETE FROM outbox WHERE job = new.id;
       END""",
)

PLACE = "SELECT grp, state, fence, owner FROM job WHERE id = ?"

BEGIN = """
UPDATE job
SET state = 'running', fence = ?, owner = ?, started_at = ?, progress = NULL, numbers = '{}' WHERE id = ?"""

CLAIM = """
SELECT grp, state, fence, owner, seq, task, rules, failures, preemptions, resume_uri, resume_step
FROM job WHERE id = ?"""

OUTGOING = """
SELECT job.id, grp, task, args, args_path, rules, priority, COALESCE(unique_key, ''), submitted_by,
  submitted_at, fence, failures, preemptions, resume_uri, resume_step
FROM outbox JOIN job ON job.id = outbox.job WHERE due <= ? ORDER BY due LIMIT ?"""

RESTORE = """
UPDATE job SET fence = ?, failures = ?, preemptions = ?, resume_uri = ?, resume_step = ? WHERE id = ?"""

REPUBLISH = """
INSERT OR REPLACE INTO outbox SELECT id, run_at FROM job
WHERE state IN ('ready', 'scheduled', 'running') AND run_at < ?"""

ALIAS = "INSERT OR IGNORE INTO alias VALUES (?, ?, ?)"

TO_END = "SELECT id, fence, owner FROM job WHERE state = 'running' AND cancel"

_rules = msgspec.msgpack.Decoder(Rules)


class Accepted(NamedTuple):
    """A submission that has come over the broker."""

    job: NewJob
    is_queued: bool
    """It lies in the queue of its group already; if not, it is to be published when it is due."""


class Outgoing(NamedTuple):
    """A job that is to be published, and where it stands."""

    job: NewJob
    submitted_at: int
    fence: int
    failures: int
    preemptions: int
    resume_uri: str
    resume_step: int


class Running(NamedTuple):
    """An attempt."""

    id: str
    fence: int
    owner: str


class Letter(NamedTuple):
    """What the broker has given up, or nobody could read."""

    group: str
    body: bytes
    why: str


class Transit:
    """That of one store, and of the thread that made that."""

    def __init__(self, store: Store, *, now: Now = wall) -> None:
        """Make what is not there."""
        self.store = store
        self._now = now
        self._db = store.db
        with writing(self._db):
            for statement in TABLES:
                self._db.execute(statement)

    def writing(self) -> object:
        """Many acts as one transaction."""
        return writing(self._db)

    # What comes ------------------------------------------------------------------------------------------

    def accept(self, submissions: Sequence[Accepted], *, trusting: bool = False) -> List[bytes]:
        """Have them, each once; of these the words that came too early. One whose arguments are said to lie
        where those of another store do is dead, and they are not read; ``trusting``: they may.

        Where another with the same unique key is live, that one stands for it from now on, and its copy will
        be let go."""
        with writing(self._db):
            submissions = [each for each in submissions if self.stands_for(each.job.id) == each.job.id]
            known = {each.job.id for each in submissions if self._place(each.job.id)}
            whys = {} if trusting else self._strange(submissions)
            jobs = [replace(job, file="") if job.id in whys else job for job, _ in submissions]
            ids = self.store.submit(jobs)
            early: List[bytes] = []
            for (job, is_queued), id in zip(submissions, ids):
                if id != job.id:
                    self._db.execute(ALIAS, (job.id, id, self._now()))
                elif (
                    is_queued and id not in known
                ):  # or it has been put back meanwhile, and must be published
                    self._db.execute("DELETE FROM outbox WHERE job = ?", (id,))
                    rows = self._db.execute("DELETE FROM early WHERE job = ? RETURNING body", (id,))
                    early += [row[0] for row in rows.fetchall()]
            for job in jobs:
                self.store.add_group(job.group)
                if job.id in whys:
                    self.give_up(job.id, job.group, 0, whys[job.id])
        return early

    def _strange(self, submissions: Sequence[Accepted]) -> Dict[str, str]:
        """Jobs that name a file which is not of this store, and why that is none."""
        found = {job.id: self._stranger(job) for job, _ in submissions if job.file}
        return {id: why for id, why in found.items() if why}

    def _stranger(self, job: NewJob) -> str:
        try:
            self.store.beside.own(job.file, job.id)
        except ValueError as error:
            return f"the file of its arguments: {error}"
        return ""

    def restore(self, standing: Outgoing) -> List[bytes]:
        """Have a job of which all was lost but a copy; of it the words that came too early."""
        job, _, *rest = standing
        with writing(self._db):
            if self._place(job.id) is not None or self.stands_for(job.id) != job.id:
                return []
            early = self.accept([Accepted(job, is_queued=True)], trusting=True)
            self._db.execute(RESTORE, (*rest, job.id))
        return early

    def republish(self) -> None:
        """Have all that is not over published once more: what this store is a copy of may have been ahead. A
        copy too many is let go."""
        with writing(self._db):
            self._db.execute(REPUBLISH, (SOMEDAY,))

    def keep_early(self, id: str, fence: int, body: bytes) -> None:
        """Word of a job that is not known yet."""
        with writing(self._db):
            self._db.execute(
                "INSERT OR REPLACE INTO early VALUES (?, ?, ?, ?)", (id, fence, self._now(), body)
            )

    def sweep(self, *, before: int) -> None:
        """Forget what stands for others, and words of jobs that never came, from before that time."""
        with writing(self._db):
            self._db.execute("DELETE FROM early WHERE at < ?", (before,))
            self._db.execute("DELETE FROM alias WHERE at < ? AND job NOT IN (SELECT id FROM job)", (before,))

    # Who runs --------------------------------------------------------------------------------------------

    def take(self, group: str, id: str, after: int, owner: str) -> Tuple[Admission, Optional[Claim]]:
        """``owner`` has a copy of that job, which follows the attempt ``after``: may he begin? With a claim,
        but without arguments, if so."""
        with writing(self._db):
            row = self._db.execute(CLAIM, (id,)).fetchone()
            decided = admit(None if row is None else Place(*row[:4]), group, after, owner)
            if isinstance(decided, Unknown) and self.stands_for(id) != id:
                decided = Over("another with its key is live" if self.stands_for(id) else "removed")
            if isinstance(decided, Begin):
                self._db.execute(BEGIN, (decided.fence, owner, self._now(), id))
            if not isinstance(decided, (Begin, Repeat)):
                return decided, None
        seq, task, rules, *standing = row[4:]
        return decided, Claim(id, seq, group, task, decided.fence, b"", "", _rules.decode(rules), *standing)

    def stands_for(self, id: str) -> str:
        """The job that a submission became, where another with its key was live; else it is its own. Empty:
        it was one, and is removed."""
        row = self._db.execute("SELECT job FROM alias WHERE id = ?", (id,)).fetchone()
        return str(row[0]) if row else id

    def record(self, group: str, closing: Closing) -> Optional[State]:
        """Write down how an attempt ended that somebody ran in our name: the state of its job; ``None``: that
        counts no more. An attempt that was begun without us, as nobody answered, is one, too.

        Raises:
            KeyError: there is no such job.
        """
        with writing(self._db):
            place = self._place(closing.id)
            if place is None or place.group != group:
                raise KeyError(closing.id)
            is_live = place.state in {"ready", "scheduled", "running"}
            if is_live and closing.fence > place.fence:
                self._db.execute(BEGIN, (closing.fence, closing.worker, self._now(), closing.id))
            (state,) = self.store.close_attempts([self._of_others(closing)])
        return state

    def _of_others(self, closing: Closing) -> Closing:
        """With the path that a large result has here: whoever says where it lies is elsewhere."""
        done = closing.outcome
        if not isinstance(done, Done) or not done.path:
            return closing
        depot, path = self.store.beside.depot, ""
        with suppress(ValueError):
            path = depot.path(done.path, closing.id) if depot else ""
        if os.path.isfile(path):
            return closing._replace(outcome=Done(path=path))
        why = f"its result lies in a file that the hub does not see, {path or ascii(done.path)}"
        return closing._replace(outcome=Failed("unusable", why))

    def fail(self, id: str, fence: int, why: str) -> Optional[int]:
        """An attempt is lost with whoever ran it: one failure, ``crash``. When the job is due again (ms since
        1970); ``None``: it is over, or another attempt runs."""
        (state,) = self.store.close_attempts([Closing(id, fence, Failed("crash", why))])
        if state not in {"ready", "scheduled"}:
            return None
        return int(self._db.execute("SELECT run_at FROM job WHERE id = ?", (id,)).fetchone()[0])

    def place(self, id: str) -> Optional[Place]:
        """How a job stands."""
        return self._place(id)

    def to_end(self) -> List[Running]:
        """Attempts that run and that somebody wants ended."""
        return [Running(*row) for row in self._db.execute(TO_END)]

    def _place(self, id: str) -> Optional[Place]:
        row = self._db.execute(PLACE, (id,)).fetchone()
        return None if row is None else Place(*row)

    # What is to be published -----------------------------------------------------------------------------

    def post(self, id: str, due: int) -> None:
        """Have that job published then, unless it is over or runs."""
        with writing(self._db):
            self._db.execute(
                "INSERT OR REPLACE INTO outbox SELECT id, ? FROM job"
                " WHERE id = ? AND state IN ('ready', 'scheduled')",
                (due, id),
            )

    def outgoing(
        self, limit: int = 200, *, most: int = LARGEST, trouble: Optional[Callable[[str], object]] = None
    ) -> List[Outgoing]:
        """What is due to be published. Arguments of more than ``most`` bytes stay in their file, where that
        is seen by others. One whose file is gone is dead; one whose file cannot be read now is put off, and
        ``trouble`` is told."""
        rows = self._db.execute(OUTGOING, (self._now(), limit)).fetchall()
        found = (self._outgoing(row, most, trouble) for row in rows)
        return [each for each in found if each is not None]

    def _outgoing(
        self, row: Sequence[Any], most: int, trouble: Optional[Callable[[str], object]]
    ) -> Optional[Outgoing]:
        try:
            return self._read(row, most)
        except FileNotFoundError as error:
            self.give_up(row[0], row[1], int(row[10]), f"the file of its arguments is gone: {error}")
        except OSError as error:
            self.post(row[0], self._now() + UNREAD)
            if trouble is not None:
                trouble(f"job {row[0]} is put off: the file of its arguments cannot be read: {error}")
        return None

    def _read(self, row: Sequence[Any], most: int) -> Outgoing:
        id, group, task, args, args_path, rules, priority, unique, by, submitted_at, *standing = row
        depot = self.store.beside.depot
        file = depot.called(args_path) if depot and args_path and os.path.getsize(args_path) > most else ""
        body = b"" if file else freight.whole(args, args_path)
        job = NewJob(group, task, body, id, priority, 0, unique, _rules.decode(rules), by, file=file)
        return Outgoing(job, submitted_at, *standing)

    def give_up(self, id: str, group: str, fence: int, why: str) -> None:
        """That one cannot be published: it is dead."""
        _, claim = self.take(group, id, fence, "")
        if claim is not None:
            self.store.close_attempts([Closing(claim.id, claim.fence, Failed("unusable", why))])

    def published(self, ids: Iterable[str]) -> None:
        """The broker has these."""
        with writing(self._db):
            for id in ids:
                self._db.execute("DELETE FROM outbox WHERE job = ?", (id,))
                self._db.execute("UPDATE job SET state = 'ready' WHERE id = ? AND state = 'scheduled'", (id,))

    def next_due(self) -> Optional[int]:
        """When the next one is to be published (ms since 1970)."""
        found = self._db.execute("SELECT MIN(due) FROM outbox").fetchone()[0]
        return None if found is None else int(found)

    # What the broker gives up ----------------------------------------------------------------------------

    def bury(self, letter: Letter) -> str:
        """Keep what nobody could read among the dead, as the bytes it is; the id it has there."""
        job = NewJob(letter.group, UNREADABLE, letter.body, id=new_id(), rules=Rules(max_failures=0))
        with writing(self._db):
            self.store.submit([job])
            self.take(letter.group, job.id, 0, "")
            self.store.close_attempts([Closing(job.id, 1, Failed("unusable", letter.why))])
        return job.id

    def come_back(self, job: NewJob, after: int, why: str) -> None:
        """The broker has given up a copy of that job: a failure, like the death of a worker. After its
        pause it is published again, unless it is dead by that."""
        with writing(self._db):
            place = self._place(job.id)
            if place is None:
                self.store.submit([job])
                place = self._place(job.id)
            if place is None or not isinstance(admit(place, job.group, after, place.owner), (Begin, Repeat)):
                return
            decided, claim = self.take(job.group, job.id, after, place.owner)
            assert claim is not None, decided
            due = self.fail(job.id, claim.fence, why)
            if due is not None:
                self.post(job.id, due)


UNREAD = 10_000
"""Milliseconds before a file is looked at again that could not be read."""
UNREADABLE = "(unreadable)"
"""In place of the task's name, of a message that was no job."""
