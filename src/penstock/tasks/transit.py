"""What a store keeps besides where jobs go over a broker: those that are to be published, words that came too
early, and who stands for whom.

The tables and triggers below are made in the store of a hub, and in no other. A trigger and not a call: any
way by which a job comes to wait (put back, submitted for later, freed by another) has it published.
"""

from __future__ import annotations

from typing import Iterable, List, NamedTuple, Optional, Sequence, Tuple

import msgspec

from penstock.tasks.admission import Admission, Begin, Over, Place, Repeat, Unknown, admit
from penstock.tasks.files import read
from penstock.tasks.job import Claim, NewJob, Rules, State, new_id, wall
from penstock.tasks.schema import writing
from penstock.tasks.settle import Done, Failed
from penstock.tasks.store import Closing, Now, Store

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
SELECT id, seq, grp, task, fence, x'', '', rules, failures, preemptions, resume_uri, resume_step
FROM job WHERE id = ?"""

OUTGOING = """
SELECT job.id, grp, task, args, args_path, rules, priority, COALESCE(unique_key, ''), submitted_by,
  submitted_at, fence, failures, preemptions, resume_uri, resume_step
FROM outbox JOIN job ON job.id = outbox.job WHERE due <= ? ORDER BY due LIMIT ?"""

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

    def accept(self, submissions: Sequence[Accepted]) -> List[bytes]:
        """Have them, each once; of these the words that came too early.

        Where another with the same unique key is live, that one stands for it from now on, and its copy will
        be let go."""
        with writing(self._db):
            known = {each.job.id for each in submissions if self._place(each.job.id)}
            ids = self.store.submit([each.job for each in submissions])
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
            for group in {each.job.group for each in submissions}:
                self.store.add_group(group)
        return early

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
            decided = admit(self._place(id), group, after, owner)
            if isinstance(decided, Unknown) and self.stands_for(id) != id:
                decided = Over("another with its key is live")
            if isinstance(decided, Begin):
                self._db.execute(BEGIN, (decided.fence, owner, self._now(), id))
            if not isinstance(decided, (Begin, Repeat)):
                return decided, None
            row = list(self._db.execute(CLAIM, (id,)).fetchone())
        row[7] = _rules.decode(row[7])
        return decided, Claim(*row)

    def stands_for(self, id: str) -> str:
        """The job that a submission became, where another with its key was live; else it is its own."""
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
            (state,) = self.store.close_attempts([_of_others(closing)])
        return state

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

    def outgoing(self, limit: int = 200) -> List[Outgoing]:
        """What is due to be published.

        Raises:
            OSError: the file of large arguments is gone.
        """
        return [_outgoing(row) for row in self._db.execute(OUTGOING, (self._now(), limit))]

    def give_up(self, each: Outgoing, why: str) -> None:
        """That one cannot be published: it is dead."""
        _, claim = self.take(each.job.group, each.job.id, each.fence, "")
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


UNREADABLE = "(unreadable)"
"""In place of the task's name, of a message that was no job."""


def _of_others(closing: Closing) -> Closing:
    """Without the path of a file: it would be one of this machine, and whoever says so is elsewhere."""
    done = closing.outcome
    return closing._replace(outcome=Done(done.result)) if isinstance(done, Done) and done.path else closing


def _outgoing(row: Sequence[object]) -> Outgoing:
    id, group, task, args, args_path, rules, priority, unique, by, submitted_at, *standing = row
    body = read(str(args_path)) if args_path else args
    job = NewJob(group, task, body, id, priority, 0, unique, _rules.decode(rules), by)  # type: ignore[arg-type]
    return Outgoing(job, submitted_at, *standing)  # type: ignore[arg-type]
