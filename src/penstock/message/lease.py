"""Locks of the kernel on the slots of an arena: who looks at one though its owner has not lent it to him.

An array that a stage passes on is read by somebody of whom the owner of its slot knows nothing. So

    reader   shared lock on the slot's first byte; then the slot's generation; then the array
    owner    exclusive lock on that byte, tried and never waited for; the generation is wiped; unlock

and only then is a slot free that was passed on. Either the reader comes first, and the owner finds his lock;
or the owner does, and the reader finds another generation.

* They are locks of an *open file description* (Linux 3.15): the kernel ends them with the process, whatever
  kills it. Classic ones end when the process closes any descriptor of that file, `flock` has no ranges, and
  neither tells two readers in one process apart, of which a rehearsal is made.
* The owner tries to lock, and does not ask (F_OFD_GETLK): to ask may look at the list of locks without
  taking the kernel's own lock, and on some processors that look may come before the write it follows.
"""

from __future__ import annotations

import errno
import fcntl
import struct

_SET = getattr(fcntl, "F_OFD_SETLK", 37)
"""By number where Python was built on an older system than it runs on."""

_FLOCK = struct.Struct("hhqqi4x")
"""type, whence, start, length, pid: as C lays it out, with 64-bit offsets."""

_HELD = (errno.EAGAIN, errno.EACCES)


def works(fd: int) -> bool:
    """Whether this kernel has such locks. (Some sandboxes do not.)"""
    try:
        return _set(fd, fcntl.F_UNLCK, 0)
    except OSError:
        return False


def share(fd: int, at: int) -> bool:
    """Lock a byte for reading, as others may at the same time; False: its owner is at it.

    Raises:
        OSError: there can be no such lock, or no more of them.
    """
    return _set(fd, fcntl.F_RDLCK, at)


def claim(fd: int, at: int) -> bool:
    """Lock a byte for oneself alone; False: somebody reads.

    Raises:
        OSError: as ``share``.
    """
    return _set(fd, fcntl.F_WRLCK, at)


def let_go(fd: int, at: int) -> None:
    """Undo either."""
    _set(fd, fcntl.F_UNLCK, at)


def _set(fd: int, kind: int, at: int) -> bool:
    try:
        fcntl.fcntl(fd, _SET, _FLOCK.pack(kind, 0, at, 1, 0))
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    return True
