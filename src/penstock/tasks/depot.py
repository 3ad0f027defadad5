"""The depot: a folder that those share whose jobs go over a broker, for what is too large for a message.

    FOLDER/                  what ``[tasks] files`` says, the same for all; else beside the store
    FOLDER/STORE/            made by the hub of that store: who sees it, shares the depot
    FOLDER/STORE/ID.args     the arguments of a job
    FOLDER/STORE/ID.N.result what its attempt N gave

A message names a file by the last two parts: where the folder is mounted is each machine's own affair. Such a
name may come from anywhere, so it is checked before it is a path: nobody can be made to read, or to delete,
anything else by it.
"""

from __future__ import annotations

import errno
import os
import re

from penstock.tasks.files import Files

NAME = r"^[0-9a-f]{32}/[0-9a-f-]{36}\.([0-9]+\.)?(args|result)\Z"
"""Of a file, as messages have it."""


class Depot:
    """As one process sees it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @property
    def cure(self) -> str:
        """What helps where it is not shared."""
        return (
            "what is larger goes by a folder that all see who submit, run and keep jobs, and"
            f" {self.folder} is not the hub's: say which it is with [tasks] files in penstock.toml,"
            " or PENSTOCK_FILES"
        )

    def open(self, store: str, *, was_there: bool = False) -> str:
        """Make the part of one store, whose id that is; its path. Who may use the folder may use that.

        Raises:
            OSError: it cannot be made; or it ``was_there``, and is not now: what lies in it would be lost.
        """
        path = os.path.join(self.folder, store)
        if was_there and not os.path.isdir(path):
            raise FileNotFoundError(errno.ENOENT, "it was there before; is its disk mounted?", path)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if not os.path.isdir(path):
            os.mkdir(path)
            os.chmod(path, os.stat(self.folder).st_mode & 0o7777)
        return path

    def is_shared(self, store: str) -> bool:
        """Whether the part of that store is seen from here."""
        return bool(store) and os.path.isdir(os.path.join(self.folder, store))

    def put(self, store: str, name: str, data: bytes) -> str:
        """Write a file; what messages call it.

        Raises:
            OSError: it could not be written; nothing is left behind.
        """
        return self._called(Files(os.path.join(self.folder, store)).put(name, data))

    def take_in(self, store: str, name: str, path: str) -> str:
        """Have a file that lies elsewhere, and there no more; what messages call it.

        Raises:
            OSError: it could not be written.
        """
        return self._called(Files(os.path.join(self.folder, store)).take_in(name, path))

    def path(self, called: str, job: str = "") -> str:
        """The file that a message calls so; of ``job``, where that is said.

        Raises:
            ValueError: none, or none of that job's, can be called so.
        """
        if not re.match(NAME, called) or (job and not os.path.basename(called).startswith(f"{job}.")):
            raise ValueError(f"{called[:80]!r} is no file of {f'the job {job}' if job else 'a job'}")
        return os.path.join(self.folder, called)

    def called(self, path: str) -> str:
        """What messages call a file; empty: it does not lie here."""
        return self._called(path) if os.path.dirname(os.path.dirname(path)) == self.folder else ""

    @staticmethod
    def _called(path: str) -> str:
        return os.path.join(os.path.basename(os.path.dirname(path)), os.path.basename(path))
