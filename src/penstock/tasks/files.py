"""What is too large for a row of the store: a file of its own, beside it.

A file is there as a whole or not at all, and before the row that names it.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Iterable

INLINE = 64 * 1024
"""Bytes up to which arguments and results lie in the store itself."""


class Files:
    """A folder of such files. Made when the first is written."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def put(self, name: str, data: bytes) -> str:
        """Write ``data`` to a file ``name``; its path. On disk when this returns.

        Raises:
            ValueError: it would lie in another folder.
            OSError: it could not be written; nothing is left behind.
        """
        name = inside(name)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        path = os.path.join(self.folder, name)
        draft = f"{path}.{os.getpid()}.draft"
        try:
            with open(draft, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except BaseException:
            if os.path.exists(draft):
                os.unlink(draft)
            raise
        self._sync()
        return path

    def take_in(self, name: str, path: str) -> str:
        """Have the file at ``path``, which is there no more, as a file ``name``; its path here.

        Raises:
            ValueError, OSError: as ``put``.
        """
        target = os.path.join(self.folder, inside(name))
        try:
            os.rename(path, target)
        except OSError:  # on another disk
            target = self.put(name, read(path))
            os.unlink(path)
        else:
            self._sync()
        return target

    def drop(self, paths: Iterable[str]) -> None:
        """They are not needed any more. What is gone already is no matter, and what may not be removed keeps
        nobody from the rest."""
        for path in paths:
            with suppress(OSError):
                os.unlink(path)

    def _sync(self) -> None:
        """The name of a new file is on disk when its folder is."""
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some file systems do so by themselves
                raise
        finally:
            os.close(fd)


def inside(name: str) -> str:
    """That name, of a file or a folder that lies where it is looked for. It is made of the id of a job, and
    that may have come from anywhere.

    Raises:
        ValueError: it leads elsewhere.
    """
    if os.sep in name or "\0" in name or name in {"", ".", ".."}:
        raise ValueError(f"{name[:80]!r} is no name of a file")
    return name


def read(path: str) -> bytes:
    """The whole of one.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return file.read()
