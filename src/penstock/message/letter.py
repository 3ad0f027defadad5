"""Dead letters: items that could not be done, kept on disk until somebody decides.

One file each, ``<dir>/<when>-<stage>-<n>.letter``: a msgpack map that carries the payload whole, arrays
included, so it can be read when the pipeline, its arena and its machine are long gone. A letter is there
or not: it is written beside, flushed to the disk, and renamed. From there it is taken into the store of jobs
(see ``tasks.letters``). One that is to be tried once more is a file again, ``.requeued``, and is there until
its item is done, or is a letter again (see ``runtime.returns``).
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from pathlib import Path
from typing import Any, List, Optional, Union

import msgspec

from penstock.errors import PenstockError

SUFFIX, REQUEUED = ".letter", ".requeued"


class Letter(msgspec.Struct, frozen=True):
    """One item and why it died."""

    id: str
    pipeline: str
    stage: str
    """The stage that could not do it."""
    link: str
    """The link it came by."""
    attempts: int
    """How often it was delivered."""
    failures: int
    """How often that failed."""
    cause: str
    """One line."""
    traceback: str
    when: float
    """Seconds since 1970."""
    payload: bytes
    """A body with this one value; large arrays lie in it."""
    run: str = ""
    """The run in which it died."""
    key: str = ""
    """What the stage's ``key=`` was, where it had one."""
    shard: int = 0
    """Where there is a key: in which shard the item is (see ``link.affinity``)."""
    schema: str = "penstock.letter/1"

    def value(self, *, allow_pickle: bool = False) -> Any:
        """What was sent.

        Raises:
            PeerError: it holds a pickle and ``allow_pickle`` is not said.
            EnvironmentFault: it holds an array and NumPy is missing, or the like.
        """
        from penstock.message.codec import Decoder

        return Decoder(allow_pickle=allow_pickle).values(self.payload)[0]


def write(directory: Union[str, Path], letter: Letter) -> Path:
    """Put ``letter`` on disk. When this returns, it is there.

    Raises:
        OSError: it could not be written; nothing is left behind.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.time_ns()}-{_plain(letter.stage)}-{os.getpid()}{SUFFIX}"
    put(path, msgspec.msgpack.encode(letter))
    return path


def put(path: Path, data: bytes) -> None:
    """Put a file on disk, whole or not at all.

    Raises:
        OSError: it could not be written; nothing is left behind.
    """
    draft = path.with_suffix(".draft")
    try:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read(path: Union[str, Path]) -> Letter:
    """One letter.

    Raises:
        PenstockError: the file is no letter.
        OSError: it cannot be read.
    """
    return parse(Path(path).read_bytes(), str(path))


def parse(data: bytes, name: str) -> Letter:
    """A letter of its bytes; ``name``: what it is called if it is none.

    Raises:
        PenstockError: it is none.
    """
    try:
        return msgspec.msgpack.decode(data, type=Letter)
    except (ValueError, RecursionError) as error:
        raise PenstockError(f"{name} is no dead letter: {error}") from None


def list_letters(directory: Union[str, Path]) -> List[Path]:
    """The letters of a directory, oldest first; none when there is no such directory."""
    return sorted(Path(directory).glob("*" + SUFFIX))


def list_requeued(directory: Union[str, Path]) -> List[Path]:
    """Those that are to be tried once more, oldest first."""
    return sorted(Path(directory).glob("*" + REQUEUED))


def is_for(path: Path, stage: str) -> bool:
    """Whether it may be of an item that ``stage`` could not do: as much as the name of the file tells."""
    return path.stem.partition("-")[2].rpartition("-")[0] == _plain(stage)


def _plain(stage: str) -> str:
    return re.sub(r"[^\w.-]", "_", stage)


def list_all(directory: Union[str, Path]) -> List[Path]:
    """All of both kinds, oldest first."""
    return sorted(list_letters(directory) + list_requeued(directory))


def requeue(path: Path) -> Optional[Path]:
    """Have a letter tried once more; where it is now. None: it is no more, somebody else was quicker."""
    target = path.with_suffix(REQUEUED)
    try:
        os.rename(path, target)
    except FileNotFoundError:
        return None
    return target


def claim(path: Path) -> Optional[int]:
    """The file of a letter, open and ours alone until it is closed; None: it is somebody else's, or no more.

    A lock of the process (lockf): one that goes with the open file (flock) would live on in what user code
    has forked. So whoever has claimed a letter does not read it: closing any file of it would free the lock.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink and path.exists():
            return fd
    except (BlockingIOError, PermissionError):  # POSIX allows either
        pass
    os.close(fd)
    return None


def keep(path: Path) -> None:
    """It cannot be tried once more: it is a letter as before."""
    os.rename(path, path.with_suffix(SUFFIX))


def find(directory: Union[str, Path], id: str) -> Optional[Path]:
    """The newest letter of the item ``id``, or the one whose file name begins with it."""
    for path in reversed(list_all(directory)):
        if path.name.startswith(id) or read(path).id == id:
            return path
    return None
