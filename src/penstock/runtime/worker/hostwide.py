"""In the worker: what one replica of a stage does for all that run on this host."""

from __future__ import annotations

import fcntl
import os
from typing import Callable

DONE = b"done"


def once(path: str, call: Callable[[], None]) -> None:
    """Call it if no other process of this run has done so; come back when it is done, by whomever.

    The file at ``path`` is the lock, and what is in it says that it is done. The kernel frees the lock of who
    dies, so the next one tries again; so it does after an exception.

    Raises:
        OSError: the file cannot be made.
        Exception: whatever ``call`` raises.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.pread(file, len(DONE), 0) != DONE:
            call()
            os.pwrite(file, DONE, 0)
    finally:
        os.close(file)
