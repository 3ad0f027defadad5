"""The dead letters of pipelines, in the store of jobs: there until somebody puts them back or discards them.

A worker has no store, and an item may leave its link only when its letter is on disk. So it writes a file
(``message.letter``) into the ``dead`` folder of its pipeline, which is the post: whoever looks next, a run
that begins or ends or a command, takes what lies there into the store. What is put back leaves the store by
the same folder, as a file that the workers of its link take. At any time a letter is in one of the two:

    dead/X.letter    -- taken in, one commit -->    store
    dead/X.requeued  <-- dead/X.leaving, commit --  store       (put back)

Files are locked by whoever moves them (``letter.claim``), and each move is over with a commit: if it ends in
the middle, by a kill or the power, the next one who looks goes on from what is there.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from penstock.errors import EnvironmentFault, PenstockError
from penstock.message import letter
from penstock.message.letter import Letter
from penstock.tasks.files import INLINE, Files, read
from penstock.tasks.home import Home
from penstock.tasks.schema import afterwards, writing
from penstock.tasks.store import Store

FEW = 100
"""Letters of one commit. Each is an open file until then."""

FILE = """
INSERT INTO letter(
  name, item, pipeline, stage, link, attempts, failures, cause, traceback, died, body, path)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
ROWS = """
SELECT name, item, pipeline, stage, link, attempts, failures, cause, traceback, died FROM letter
ORDER BY died DESC, seq DESC"""


class Filed(NamedTuple):
    """A letter without what is in it."""

    name: str
    """Its own: that of the file it was."""
    item: str
    pipeline: str
    stage: str
    link: str
    attempts: int
    failures: int
    cause: str
    traceback: str
    died: float
    """Seconds since 1970."""


class Letters:
    """Those of one store. Belongs to the thread that made it."""

    def __init__(self, home: Home) -> None:
        """Open the store.

        Raises:
            EnvironmentFault: it cannot be opened.
        """
        self._store = Store(home.store)
        self._db = self._store.db
        self._files = Files(home.files)

    def close(self) -> None:
        """Let go."""
        self._store.close()

    def take_in(self, folder: Path) -> int:
        """Take the letters that lie in ``folder``; how many. What is no letter stays there.

        Raises:
            sqlite3.Error, OSError: the disk is full; what was not taken lies there still.
        """
        for path in folder.glob("*.leaving"):
            self._recover(path)
        listed, taken = letter.list_letters(folder), 0
        for begin in range(0, len(listed), FEW):
            taken += self._take(listed[begin : begin + FEW])
        return taken

    def _take(self, paths: Sequence[Path]) -> int:
        with ExitStack() as locks:
            found = [each for path in paths if (each := self._opened(path, locks))]
            with writing(self._db):
                for path, mine, body, beside in found:
                    self._db.execute(FILE, (path.stem, *_about(mine), b"" if beside else body, beside))
            for path, *_ in found:
                path.unlink()
        return len(found)

    def _opened(self, path: Path, locks: ExitStack) -> Optional[Tuple[Path, Letter, bytes, str]]:
        """A letter that is ours to take, what it is made of, and the file for that if it is large."""
        fd = letter.claim(path)
        if fd is None:
            return None
        locks.callback(os.close, fd)
        body = b"".join(iter(lambda: os.read(fd, 1 << 24), b""))
        try:
            mine = letter.parse(body, str(path))
        except PenstockError:
            return None
        return path, mine, body, self._beside(path, body)

    def _beside(self, path: Path, body: bytes) -> str:
        """The file that holds a large one: its own under another name, as long as that is one disk."""
        if len(body) <= INLINE:
            return ""
        target = os.path.join(self._files.folder, path.name)
        try:
            os.makedirs(self._files.folder, mode=0o700, exist_ok=True)
            os.link(path, target)
        except FileExistsError:
            pass  # somebody was killed between this and the commit
        except OSError:
            return self._files.put(path.name, body)
        return target

    def _recover(self, path: Path) -> None:
        """Who put it back was ended before that was done: it is dead as before."""
        fd = letter.claim(path)
        if fd is None:
            return
        try:
            with writing(self._db):
                if self._row(path.stem):
                    path.unlink()
                else:
                    letter.keep(path)
        finally:
            os.close(fd)

    def all(self) -> Iterator[Filed]:
        """Those there are, the newest first."""
        return (Filed(*row) for row in self._db.execute(ROWS))

    def whole(self, name: str) -> Optional[Letter]:
        """One with what is in it; ``None``: it is not there (any more).

        Raises:
            OSError: the file of a large one is gone.
        """
        body = self._body(name)
        return None if body is None else letter.parse(body, name)

    def put_back(self, name: str, folder: Path) -> Optional[Path]:
        """Have it tried once more, by the pipeline of ``folder``; the file it is now. ``None``: it is not
        there, somebody else was quicker."""
        leaving = folder / f"{name}.leaving"
        fd: Optional[int] = None
        try:
            with writing(self._db):
                body = self._body(name)
                if body is None:
                    return None
                letter.put(leaving, body)
                fd = letter.claim(leaving)  # whoever looks now finds it locked, and leaves it to us
                self._drop([self._remove(name)])
            return letter.requeue(leaving)
        finally:
            if fd is not None:
                os.close(fd)

    def discard(self, names: Iterable[str]) -> List[str]:
        """Delete these; the names of those that were there."""
        with writing(self._db):
            found = [(name, self._remove(name)) for name in names if self._row(name)]
            self._drop([beside for _, beside in found])
        return [name for name, _ in found]

    def _drop(self, besides: Sequence[str]) -> None:
        """These files, once it is on disk that no letter names them."""
        afterwards(self._db, lambda: self._files.drop(each for each in besides if each))

    def _row(self, name: str) -> Any:
        return self._db.execute("SELECT body, path FROM letter WHERE name = ?", (name,)).fetchone()

    def _body(self, name: str) -> Optional[bytes]:
        row = self._row(name)
        return None if row is None else read(row[1]) if row[1] else bytes(row[0])

    def _remove(self, name: str) -> str:
        (beside,) = self._db.execute("SELECT path FROM letter WHERE name = ?", (name,)).fetchone()
        self._db.execute("DELETE FROM letter WHERE name = ?", (name,))
        return str(beside)


def _about(found: Letter) -> Tuple[Any, ...]:
    """The columns behind ``name``, up to ``body``."""
    where = (found.id, found.pipeline, found.stage, found.link)
    return (*where, found.attempts, found.failures, found.cause, found.traceback, found.when)


@contextmanager
def opened(home: Home, folders: Iterable[Union[str, Path]] = ()) -> Iterator[Letters]:
    """The letters of a store, with those that lie in the ``dead`` folders of its pipelines taken in.

    Raises:
        EnvironmentFault: it cannot be opened, or not be written.
    """
    letters = Letters(home)
    try:
        for folder in folders:
            letters.take_in(Path(folder))
        yield letters
    except (sqlite3.Error, OSError) as error:
        raise EnvironmentFault(f"the dead letters in {home.store}: {error}") from error
    finally:
        letters.close()


def of(home: Home, folder: Union[str, Path], pipeline: str) -> List[Letter]:
    """All of one pipeline with what is in them, wherever they lie, oldest first; nothing is moved.

    Raises:
        EnvironmentFault: the store cannot be read.
    """
    found = dict(_lying(folder))
    if os.path.exists(home.store):
        with opened(home) as letters:
            names = [each.name for each in letters.all() if each.pipeline == pipeline]
            found.update((name, whole) for name in names if (whole := letters.whole(name)))
    return [found[name] for name in sorted(found)]


def _lying(folder: Union[str, Path]) -> Iterator[Tuple[str, Letter]]:
    for path in letter.list_letters(folder):
        try:
            yield path.stem, letter.read(path)
        except FileNotFoundError:  # noqa: PERF203  just now it was taken into the store
            continue
