"""A file that is locked for as long as its holder lives: the kernel frees it, however the holder ends."""

from __future__ import annotations

import fcntl
import os


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
