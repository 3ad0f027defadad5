"""Dead letters: items that could not be done, kept on disk until somebody decides.

One file each, ``<dir>/<when>-<stage>-<n>.letter``: a msgpack map that carries the payload whole, arrays
included, so it can be read when the pipeline, its arena and its machine are long gone. A letter is there
or not: it is written beside, flushed to the disk, and renamed.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any, List, Optional, Union

import msgspec

from penstock.errors import PenstockError
from penstock.message.codec import Decoder

SUFFIX = ".letter"


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
    schema: str = "penstock.letter/1"

    def value(self, *, allow_pickle: bool = False) -> Any:
        """What was sent.

        Raises:
            PeerError: it holds a pickle and ``allow_pickle`` is not said.
            EnvironmentFault: it holds an array and NumPy is missing, or the like.
        """
        return Decoder(allow_pickle=allow_pickle).values(self.payload)[0]


def write(directory: Union[str, Path], letter: Letter) -> Path:
    """Put ``letter`` on disk. When this returns, it is there.

    Raises:
        OSError: it could not be written; nothing is left behind.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    stage = re.sub(r"[^\w.-]", "_", letter.stage)
    path = folder / f"{time.time_ns()}-{stage}-{os.getpid()}{SUFFIX}"
    draft = path.with_suffix(".draft")
    try:
        with open(draft, "wb") as file:
            file.write(msgspec.msgpack.encode(letter))
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return path


def read(path: Union[str, Path]) -> Letter:
    """One letter.

    Raises:
        PenstockError: the file is no letter.
        OSError: it cannot be read.
    """
    try:
        return msgspec.msgpack.decode(Path(path).read_bytes(), type=Letter)
    except msgspec.MsgspecError as error:
        raise PenstockError(f"{path} is no dead letter: {error}") from None


def list_letters(directory: Union[str, Path]) -> List[Path]:
    """The letters of a directory, oldest first; none when there is no such directory."""
    return sorted(Path(directory).glob("*" + SUFFIX))


def find(directory: Union[str, Path], id: str) -> Optional[Path]:
    """The newest letter of the item ``id``, or the one whose file name begins with it."""
    for path in reversed(list_letters(directory)):
        if path.name.startswith(id) or read(path).id == id:
            return path
    return None
