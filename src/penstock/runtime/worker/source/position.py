"""In the worker of a source: the file in which it keeps how far it is.

    <state>/positions/<stage>.<replica>     msgpack: {run, position (msgpack), made, emitted, origin}

It is replaced as a whole, so whoever reads it after a kill, of whatever and whenever, finds one position or
the one before. It is not synced to the disk: after a loss of power it may be older or gone. Neither is wrong,
for a position that is too old only means that items come again; waiting for the disk would cost a source more
than that is worth.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

import msgspec

from penstock.errors import EnvironmentFault, UserError
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
        self.path = os.path.join(state_dir, "positions", f"{stage}.{replica}")
        self._run = run

    def read(self, *, also_of_others: bool) -> Optional[Mark]:
        """What was written last, by this run or ``also_of_others``; None: nothing to go on from.

        Raises:
            EnvironmentFault: it cannot be read, or is damaged.
        """
        try:
            with open(self.path, "rb") as file:
                kept = _decoder.decode(file.read())
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
        data = _encoder.encode(_Kept(self._run, *mark))
        partial = f"{self.path}.part"
        with open(partial, "wb") as file:
            file.write(data)
        os.replace(partial, self.path)

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
