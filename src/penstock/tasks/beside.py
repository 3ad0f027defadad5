"""What lies beside a store: arguments and results that are too large for it, and what jobs have published."""

from __future__ import annotations

import os
import random
import sqlite3
from typing import Iterable, List, Optional, Sequence

from penstock.tasks import outputs
from penstock.tasks.depot import Depot
from penstock.tasks.files import INLINE, Files, read
from penstock.tasks.home import Home
from penstock.tasks.job import NewJob
from penstock.tasks.schema import afterwards


class Beside:
    """That of one store. One in memory has nothing."""

    def __init__(self, home: Optional[Home]) -> None:
        self._home = home
        self._files = Files(home.files) if home else None
        self.depot: Optional[Depot] = None
        """Where large things lie that others are to see."""

    @property
    def folder(self) -> str:
        """Of arguments and results; empty: there is none."""
        return self._files.folder if self._files else ""

    def share(self, depot: Depot, store: str) -> None:
        """From now on large things lie there, in the part of the store that has this id.

        Raises:
            OSError: that cannot be made; or it was made before, and is not there now.
        """
        self.depot = depot
        self._files = Files(depot.open(store, was_there=self._has_shared(depot)))
        if self._home is not None and depot.folder != self._home.files:
            os.makedirs(self._home.directory, mode=0o700, exist_ok=True)
            with open(self._home.sharing, "wb") as file:
                file.write(os.fsencode(depot.folder))

    def _has_shared(self, depot: Depot) -> bool:
        """Whether a hub of this store was here before, with that folder."""
        try:
            return self._home is not None and read(self._home.sharing) == os.fsencode(depot.folder)
        except OSError:
            return False

    def put(self, name: str, data: bytes) -> str:
        """The path of the file that holds ``data``; empty: it is small enough for the store.

        Raises:
            OSError: it could not be written.
        """
        return "" if self._files is None or len(data) <= INLINE else self._files.put(name, data)

    def other(self, id: str, args: bytes, file: str) -> str:
        """The path of other arguments for that job, as of ``put``; ``file``: they lie there already.

        Raises:
            ValueError: that cannot be its file.
            OSError: they could not be written.
        """
        return self.own(file, id) if file else self.put(f"{id}.{random.getrandbits(62)}.args", args)

    def own(self, file: str, id: str) -> str:
        """The path of a file that others have written for that job, in the part of this store.

        Raises:
            ValueError: there can be none of that name.
        """
        path = self.depot.path(file, id) if self.depot is not None else ""
        if not path or os.path.dirname(path) != self.folder:
            raise ValueError(f"{file[:80]!r} is no file of this store")
        return path

    def lying(self, job: NewJob) -> str:
        """The path of the file that whoever submitted it has written; empty: none.

        Raises:
            ValueError: there can be none of that name.
        """
        if not job.file:
            return ""
        if self.depot is None:
            raise ValueError(f"{job.file[:80]!r}: no files are shared with this store")
        return self.depot.path(job.file, job.id)

    def logs(self, id: str, fences: Iterable[int]) -> List[str]:
        """The paths of what these attempts of a job have printed here. What a message has said of where a log
        lies is for people alone: it may name any file."""
        return [self._home.log(id, fence) for fence in fences] if self._home is not None else []

    def drop(self, paths: Iterable[str]) -> None:
        """These files are not needed any more. What lies in the part of another store stays: whoever submits
        a job may name it, and it is not ours."""
        if self._files is not None:
            self._files.drop(path for path in paths if path and not self._is_anothers(path))

    def _is_anothers(self, path: str) -> bool:
        is_shared = self.depot is not None and bool(self.depot.called(path))
        return is_shared and os.path.dirname(path) != self.folder

    def drop_outputs(self, ids: Iterable[str]) -> None:
        """Nor is what these jobs have published."""
        if self._home is not None:
            for id in ids:
                outputs.discard(self._home.out(id))

    def drop_after(self, db: sqlite3.Connection, paths: Sequence[str], outputs: Sequence[str] = ()) -> None:
        """Both, when it is on disk that the store names them no more, with all that is written along."""

        def act() -> None:
            self.drop(paths)
            self.drop_outputs(outputs)

        afterwards(db, act)
