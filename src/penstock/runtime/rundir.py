"""The run directory: where the processes of one run meet. Made, held and removed by its supervisor.

    <base>/                    /dev/shm/penstock-<uid>, or PENSTOCK_RUN_DIR; mode 0700
        .lock                  held while a run directory is made or swept: never both at once
        <pipeline>-<6 hex>/    one run
            run.lock           held by the supervisor for life: the kernel frees it, however it dies
            run.json           who this is
            control.sock       for the command line
            7.sock 7.arena 7.page    of worker 7
            7.pub 7.tally      where it publishes, and what became of it
        7.2.tap            a sample of what it sends by link 2, while somebody looks

A directory whose ``run.lock`` is free belongs to a dead run (see ``sweep``). Pids are not asked: they are
used again, locks are not.
"""

from __future__ import annotations

import fcntl
import glob
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from penstock.errors import EnvironmentFault, UserError
from penstock.lockfile import is_held
from penstock.runtime import control

SOCKET_PATH_LIMIT = 107
"""Bytes in a unix socket's path (sizeof sun_path, less its zero)."""
ROOM_FOR_NAMES = len("/1234567890.sock")
CONTROL = "control.sock"
CALLS = "calls.sock"
"""On a host that has joined: where its agent says which replicas of services there are."""


def base_dir(chosen: str | None) -> str:
    """Where run directories are made: ``chosen``, else on /dev/shm, else (there is none) in /tmp."""
    if chosen:
        return os.path.abspath(chosen)
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"  # noqa: S108  see secure()
    return os.path.join(parent, f"penstock-{os.getuid()}")


def secure(base: str) -> None:
    """Make ``base`` if need be, and see that only we can reach into it: sockets and arrays lie there.

    Raises:
        EnvironmentFault: it is somebody else's, open to others, or cannot be made.
    """
    try:
        os.makedirs(base, mode=0o700, exist_ok=True)
        found = os.lstat(base)
    except OSError as error:
        raise EnvironmentFault(
            f"the directory for runs, {base}, cannot be made: {error.strerror}; "
            "set PENSTOCK_RUN_DIR to another place"
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise EnvironmentFault(f"{base} is not a directory of yours; set PENSTOCK_RUN_DIR to another place")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise EnvironmentFault(f"{base} is open to other users; close it: chmod 700 {base}")


@contextmanager
def held(base: str) -> Iterator[None]:
    """Nobody else makes or sweeps run directories in ``base`` meanwhile."""
    fd = os.open(os.path.join(base, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def is_alive(path: str) -> bool:
    """Whether a supervisor holds the run directory at ``path``."""
    return is_held(os.path.join(path, "run.lock"))


class RunDir:
    """A run directory that we hold."""

    def __init__(self, base: str, pipeline: str) -> None:
        """Make and lock one for a run of ``pipeline``.

        Raises:
            UserError: ``base`` is so long that no socket fits below it.
            EnvironmentFault: no room, or no right, to make it.
        """
        secure(base)
        self.name = _name(base, pipeline)
        self.path = os.path.join(base, self.name)
        with held(base):
            try:
                os.mkdir(self.path, 0o700)
                self._lock = os.open(self._file("run.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise EnvironmentFault(
                    f"the run directory {self.path} cannot be made: {error.strerror}"
                ) from None
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def describe(self, **facts: object) -> None:
        """Write ``run.json``, whole or not at all."""
        partial = self._file("run.part")
        with open(partial, "w", encoding="utf-8") as file:
            json.dump({"schema": "penstock.run-directory/1", "run": self.name, **facts}, file)
        os.replace(partial, self._file("run.json"))

    @property
    def control_socket(self) -> str:
        """Where the command line reaches us."""
        return self._file(CONTROL)

    def endpoint(self, number: int) -> str:
        """Where worker ``number`` takes receivers."""
        return f"ipc://{control.paths(self.path, number)[0]}"

    def forget(self, number: int) -> None:
        """Remove the files of a worker that has ended. Who has mapped its arena keeps what it mapped."""
        samples = glob.glob(f"{glob.escape(self._file(str(number)))}.*.tap*")
        for path in (*control.paths(self.path, number), *control.topic_paths(self.path, number), *samples):
            with suppress(FileNotFoundError):
                os.unlink(path)

    def free_bytes(self) -> int:
        """Room for shared memory."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def remove(self) -> None:
        """Take all of it away and let go of the lock. Twice is fine."""
        if self._lock >= 0:
            remove_tree(self.path)
            os.close(self._lock)
            self._lock = -1

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)


def _name(base: str, pipeline: str) -> str:
    """``vision-3fa94c``, its first part shortened until a socket's path fits."""
    room = SOCKET_PATH_LIMIT - len(os.fsencode(base)) - 1 - len("-123456") - ROOM_FOR_NAMES
    if room < 1:
        raise UserError(
            f"the path {base} is too long: sockets below it would exceed {SOCKET_PATH_LIMIT} bytes; "
            f"set PENSTOCK_RUN_DIR to a path at least {1 - room} bytes shorter"
        )
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", pipeline).strip(".") or "run"
    return f"{plain[:room]}-{os.urandom(3).hex()}"


def remove_tree(path: str) -> None:
    """Remove a run directory with all that is in it."""
    import shutil  # needed at an end only, and not worth its part of the start-up time

    shutil.rmtree(path, ignore_errors=True)
