"""A file that is locked for as long as its holder lives: the kernel frees it, however the holder ends."""

from __future__ import annotations

import fcntl
import os


def _opened(path: str, *, shared: bool) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        if not shared:
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # where we may only read, others may write


def is_held(path: str) -> bool:
    """Whether somebody who lives holds the lock (flock) on the file at ``path``; nobody, if there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def give_back(fd: int) -> None:
    """Unlock what ``take`` has locked, for whatever has inherited it, too; ``fd`` is closed."""
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def take(path: str, *, shared: bool = False, wait: bool = True) -> int:
    """Lock the file at ``path``, which is made where there is none; closing what is returned gives it back.

    Args:
        path: Of the file; it stays when the lock has gone, or two could hold locks of one name.
        shared: Others may hold it at the same time, if theirs are shared, too.
        wait: Until it is free.

    Returns:
        A file descriptor. What inherits it holds the lock, too.

    Raises:
        BlockingIOError: somebody else holds it, and ``wait`` is false.
        OSError: there can be no such file.
    """
    fd = _opened(path, shared=shared)
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(fd, how if wait else how | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd
