"""The tables of a store, and how a connection to one is opened.

What SQLite is told, and why (https://www.sqlite.org/wal.html, /pragma.html, /lang_transaction.html):

- WAL: readers and the one writer do not wait for each other.
- synchronous=FULL: a commit is on the disk when it returns, also if the power fails then. (NORMAL would
  survive the death of any process, and lose the last commits with the machine.)
- every write begins IMMEDIATE: a transaction that reads first and then wants to write is refused at once
  if somebody else has written meanwhile, and no time-out helps.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import Callable, Iterator, List

from penstock.errors import EnvironmentFault

PATIENCE = 10.0
"""Seconds that a write waits for the writes of others."""
OLDEST = (3, 35, 0)
"""The first SQLite that knows RETURNING."""

JOBS = """
CREATE TABLE job(
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  grp TEXT NOT NULL,
  task TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('scheduled', 'ready', 'running', 'done', 'dead', 'cancelled')),
  priority INTEGER NOT NULL DEFAULT 0,
  run_at INTEGER NOT NULL,
  submitted_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  args BLOB NOT NULL,
  args_path TEXT NOT NULL DEFAULT '',
  rules BLOB NOT NULL,
  gpus INTEGER NOT NULL DEFAULT 0,
  unique_key TEXT,
  failures INTEGER NOT NULL DEFAULT 0,
  preemptions INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,
  owner TEXT NOT NULL DEFAULT '',
  progress REAL,
  numbers TEXT NOT NULL DEFAULT '{}',
  cancel INTEGER NOT NULL DEFAULT 0,
  resume_uri TEXT NOT NULL DEFAULT '',
  resume_step INTEGER NOT NULL DEFAULT 0,
  cause TEXT NOT NULL DEFAULT '',
  result BLOB,
  result_path TEXT NOT NULL DEFAULT '',
  submitted_by TEXT NOT NULL DEFAULT '');
-- What is to come lies apart from what is due: claims step over nothing.
CREATE INDEX job_ready ON job(grp, priority DESC, seq) WHERE state = 'ready';
CREATE INDEX job_scheduled ON job(run_at) WHERE state = 'scheduled';
CREATE INDEX job_running ON job(owner) WHERE state = 'running';
CREATE INDEX job_finished ON job(finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX job_unique ON job(grp, unique_key)
  WHERE unique_key IS NOT NULL AND state IN ('scheduled', 'ready', 'running');
CREATE TABLE attempt(
  job TEXT NOT NULL,
  fence INTEGER NOT NULL,
  worker TEXT NOT NULL,
  pid INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  cause TEXT NOT NULL DEFAULT '',
  error TEXT NOT NULL DEFAULT '',
  traceback TEXT NOT NULL DEFAULT '',
  log TEXT NOT NULL DEFAULT '',
  tail TEXT NOT NULL DEFAULT '',
  PRIMARY KEY(job, fence)) WITHOUT ROWID;
CREATE TABLE grp(
  name TEXT PRIMARY KEY,
  paused INTEGER NOT NULL DEFAULT 0,
  why TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE TABLE worker(
  id TEXT PRIMARY KEY,
  grp TEXT NOT NULL,
  pid INTEGER NOT NULL,
  lock_path TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  slots INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID;
-- How many there are of each state: to count them would take the longer the more there are.
CREATE TABLE depth(
  grp TEXT NOT NULL,
  state TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY(grp, state)) WITHOUT ROWID;
CREATE TRIGGER job_comes AFTER INSERT ON job BEGIN
  INSERT INTO depth VALUES (new.grp, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER job_changes AFTER UPDATE OF state ON job WHEN old.state <> new.state BEGIN
  UPDATE depth SET n = n - 1 WHERE grp = old.grp AND state = old.state;
  INSERT INTO depth VALUES (new.grp, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER job_goes AFTER DELETE ON job BEGIN
  UPDATE depth SET n = n - 1 WHERE grp = old.grp AND state = old.state;
END;
"""

SCHEDULES = """
CREATE TABLE schedule(
  grp TEXT NOT NULL,
  task TEXT NOT NULL,
  said BLOB NOT NULL,
  since INTEGER NOT NULL,
  looked_at INTEGER NOT NULL,
  tick INTEGER,
  job TEXT NOT NULL DEFAULT '',
  last TEXT NOT NULL DEFAULT '',
  PRIMARY KEY(grp, task)) WITHOUT ROWID;
"""

LETTERS = """
CREATE TABLE letter(
  seq INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  item TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  stage TEXT NOT NULL,
  link TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  cause TEXT NOT NULL,
  traceback TEXT NOT NULL,
  died REAL NOT NULL,
  body BLOB NOT NULL,
  path TEXT NOT NULL DEFAULT '');
CREATE INDEX letter_died ON letter(died);
"""

NEEDS = """
CREATE TABLE need(
  job TEXT NOT NULL,
  place INTEGER NOT NULL,
  needed TEXT NOT NULL,
  met INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  PRIMARY KEY(job, place)) WITHOUT ROWID;
CREATE INDEX need_needed ON need(needed);
CREATE INDEX need_open ON need(job) WHERE NOT met;
"""

MAKERS = """
CREATE INDEX job_by ON job(submitted_by) WHERE submitted_by <> '';
"""

STORE = """
-- One row: the id of this store, and the highest number of a job that was removed: none gets it again.
CREATE TABLE store(id TEXT NOT NULL, highest INTEGER NOT NULL);
INSERT INTO store VALUES (lower(hex(randomblob(16))), 0);
CREATE TRIGGER job_leaves AFTER DELETE ON job WHEN NOT EXISTS (SELECT 1 FROM job WHERE seq > old.seq) BEGIN
  UPDATE store SET highest = max(highest, old.seq);
END;
"""

GPUS = """
-- The most GPUs that a worker of it has had; nothing: none was ever there.
ALTER TABLE grp ADD COLUMN gpus INTEGER;
"""

ENVS = "ALTER TABLE attempt ADD COLUMN env TEXT NOT NULL DEFAULT '';"

COUNTS = """
-- Every 64th submission counts those since the last one that did: a commit of one job is a page shorter. What
-- has a number above ``counted`` is counted by who asks.
ALTER TABLE store ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
UPDATE store SET counted = (SELECT COALESCE(MAX(seq), 0) FROM job);
DROP TRIGGER job_comes;
DROP TRIGGER job_changes;
DROP TRIGGER job_goes;
CREATE TRIGGER job_comes AFTER INSERT ON job WHEN new.seq % 64 = 0 BEGIN
  INSERT INTO depth
    SELECT grp, state, COUNT(*) FROM job WHERE seq > (SELECT counted FROM store) GROUP BY grp, state
    ON CONFLICT DO UPDATE SET n = n + excluded.n;
  UPDATE store SET counted = new.seq;
END;
CREATE TRIGGER job_changes AFTER UPDATE OF state ON job
  WHEN old.state <> new.state AND old.seq <= (SELECT counted FROM store) BEGIN
  UPDATE depth SET n = n - 1 WHERE grp = old.grp AND state = old.state;
  INSERT INTO depth VALUES (new.grp, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER job_goes AFTER DELETE ON job WHEN old.seq <= (SELECT counted FROM store) BEGIN
  UPDATE depth SET n = n - 1 WHERE grp = old.grp AND state = old.state;
END;
"""

STEPS = (JOBS, SCHEDULES, LETTERS, NEEDS, MAKERS, STORE, GPUS, ENVS, COUNTS)
"""What leads from each version of the tables to the next: a new store takes all steps, an old one those it
has not taken."""
VERSION = len(STEPS)
"""Of the tables, as ``PRAGMA user_version`` has it."""


class Connection(sqlite3.Connection):
    """One that knows what is to be done after the next commit."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """As of SQLite's."""
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.later: List[Callable[[], None]] = []


def connect(path: str, *, shared: bool = False) -> sqlite3.Connection:
    """A connection, for this thread alone unless it is ``shared`` by some that take turns; the tables are
    there. ``:memory:`` is a store of its own.

    Raises:
        EnvironmentFault: the file cannot be opened, is no store or a newer one, or SQLite is too old.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise EnvironmentFault(
            f"jobs need SQLite 3.35 or newer, and this Python has {sqlite3.sqlite_version}"
        )
    try:
        if path != ":memory:":
            os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        db = sqlite3.connect(
            path, PATIENCE, isolation_level=None, check_same_thread=not shared, factory=Connection
        )
        _prepare(db, path)
    except (OSError, sqlite3.Error) as error:
        raise EnvironmentFault(f"the store of jobs, {path}, cannot be opened: {error}") from None
    return db


def _prepare(db: sqlite3.Connection, path: str) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA journal_size_limit=67108864")
    db.execute("PRAGMA wal_autocheckpoint=4000")  # a job is some four pages: every 1,000 would be soon again
    if _version(db) != VERSION:
        with writing(db):
            found = _version(db)  # somebody may have been quicker
            if found > VERSION:
                raise EnvironmentFault(
                    f"the store of jobs, {path}, is of version {found}, and this penstock knows {VERSION};"
                    " use the penstock that wrote it, or another file"
                )
            for statement in _statements("".join(STEPS[found:])):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={VERSION}")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _statements(text: str) -> Iterator[str]:
    """One by one: ``executescript`` would commit what has been begun."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction: on disk as a whole, or not at all. Inside of another it is a part of that: so many
    small ones can be one, which is one wait for the disk."""
    is_part = db.in_transaction
    if is_part:
        yield
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        _taken(db)
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    for act in _taken(db):
        act()


def afterwards(db: sqlite3.Connection, act: Callable[[], None]) -> None:
    """Do it when what is being written is on disk, and never if it will not be; at once where nothing is
    written. For what cannot be taken back: a file that the store names no more."""
    if db.in_transaction and isinstance(db, Connection):
        db.later.append(act)
    else:
        act()


def _taken(db: sqlite3.Connection, first: int = 0) -> List[Callable[[], None]]:
    """What was to be done afterwards, from the ``first`` on: nobody else does it now."""
    if not isinstance(db, Connection):
        return []
    taken = db.later[first:]
    del db.later[first:]
    return taken


@contextmanager
def attempting(db: sqlite3.Connection) -> Iterator[None]:
    """A part of a transaction that may fail by itself: then nothing of it is left, and the rest stands."""
    db.execute("SAVEPOINT part")
    before = len(db.later) if isinstance(db, Connection) else 0
    try:
        yield
    except BaseException:
        _taken(db, before)
        if db.in_transaction:  # SQLite itself gives up the whole where the disk is full
            db.execute("ROLLBACK TO part")
            db.execute("RELEASE part")
        raise
    db.execute("RELEASE part")
