"""In the worker of a source: the file in which it keeps how far it is.

    <state>/positions/<stage>.<replica>     msgpack: {run, position (msgpack), made, emitted, origin}

It is replaced as a whole, so whoever reads it after a kill, of whatever and whenever, finds one position or
the one before. It is not synced to the disk: after a loss of power it may be older or gone. Neither is wrong,
for a position that is too old only means that items come again; waiting for the disk would cost a source more
than that is worth.

All positions are kept on the first host, for who comes next may be on any. So a source on another one has its
own with its assignment, and says each that follows to the supervisor.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Optional

import msgspec

from penstock.errors import EnvironmentFault, UserError
from penstock.runtime.control import Assignment, Position
from penstock.runtime.worker.source.progress import Mark


class _Kept(msgspec.Struct, frozen=True):
    """What is in the file."""

    run: str
    """The run that wrote it."""
    position: bytes
    """msgpack too."""
    made: int
    emitted: Dict[str, int]
    origin: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Kept)


class PositionFile:
    """The file of one replica."""

    def __init__(self, state_dir: str, stage: str, replica: int, *, run: str) -> None:
        """Nothing is touched yet."""
        self.path = f"{state_dir}/positions/{stage}.{replica}"
        self._run = run

    def read(self, *, also_of_others: bool) -> Optional[Mark]:
        """What was written last, by this run or ``also_of_others``; None: nothing to go on from.

        Raises:
            EnvironmentFault: it cannot be read, or is damaged.
        """
        try:
            kept = _decoder.decode(self._load())
            decode(kept.position)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise EnvironmentFault(
                f"the position in {self.path} cannot be read ({error}); remove it to begin anew"
            ) from None
        if kept.run != self._run and not also_of_others:
            return None
        return Mark(kept.position, kept.made, kept.emitted, kept.origin)

    def write(self, mark: Mark) -> None:
        """Replace what is there.

        Raises:
            OSError: it cannot be written; what was there still is.
        """
        self._store(_encoder.encode(_Kept(self._run, *mark)))

    def clear(self) -> None:
        """Forget what another run has written: this one begins anew, and what it makes first must not be
        skipped should it be resumed.

        Raises:
            EnvironmentFault: the state directory cannot be written to.
        """
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            if os.path.exists(self.path):
                os.unlink(self.path)
        except OSError as error:
            raise EnvironmentFault(f"no position can be kept in {self.path}: {error.strerror}") from None

    def _load(self) -> bytes:
        with open(self.path, "rb") as file:
            return file.read()

    def _store(self, data: bytes) -> None:
        partial = f"{self.path}.part"
        with open(partial, "wb") as file:
            file.write(data)
        os.replace(partial, self.path)


class FarPosition(PositionFile):
    """What stands for that file on another host."""

    def __init__(self, assignment: Assignment, say: Callable[[Position], None]) -> None:
        """``say`` takes words to the supervisor."""
        super().__init__("(the first host)", assignment.stage, assignment.replica, run=assignment.run)
        self._kept = assignment.position
        self._say = say

    def clear(self) -> None:
        """Forget what another run has written."""
        self._store(b"")

    def _load(self) -> bytes:
        if not self._kept:
            raise FileNotFoundError
        return self._kept

    def _store(self, data: bytes) -> None:
        self._say(Position(data))


def encode(position: Any) -> bytes:
    """A position as it is kept.

    Raises:
        UserError: it is no plain data, and could not be read again under any Python.
    """
    try:
        return _encoder.encode(position)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"at({position!r}, ...): a position is plain data, numbers or text for example ({error})"
        ) from None


def decode(data: bytes) -> Any:
    """The position of a mark."""
    return msgspec.msgpack.decode(data)
