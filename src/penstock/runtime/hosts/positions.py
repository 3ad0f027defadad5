"""Runs in the supervisor: the positions of sources on other hosts are kept where all others are.

So whoever comes after such a source goes on where it was, on whichever host that is, in this run or the next.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from penstock.runtime import control

if TYPE_CHECKING:
    from penstock.runtime.supervisor.crew import Member
    from penstock.runtime.supervisor.supervisor import Supervisor


class Positions:
    """Of one run."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Nothing is touched yet."""
        self._supervisor = supervisor
        self._failed = False

    def heard(self, member: Member, data: bytes) -> None:
        """A source has come so far; no data: it begins anew."""
        path = _path(self._supervisor.state_dir.path, member.stage, member.replica)
        try:
            _write(path, data)
            self._failed = False
        except OSError as error:
            if not self._failed:
                text = (
                    f"{path} cannot be written: {error.strerror}; after a crash more items would come again"
                )
                self._supervisor.report(member.noticed(control.Notice("warning", text)))
            self._failed = True


def _path(state_dir: str, stage: str, replica: int) -> str:
    """As a source on the first host has it: see ``PositionFile``."""
    return f"{state_dir}/positions/{stage}.{replica}"


def _write(path: str, data: bytes) -> None:
    if not data:
        with suppress(FileNotFoundError):
            os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    partial = f"{path}.part"
    with open(partial, "wb") as file:
        file.write(data)
    os.replace(partial, path)


def kept(assignment: control.Assignment) -> bytes:
    """The position from which a source may go on; nothing: none is kept."""
    path = _path(assignment.state_dir, assignment.stage, assignment.replica)
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
