"""The state directory: what outlives a run. Logs, dead letters, and the account of the last run.

<app's directory>/.penstock/<pipeline>/    or PENSTOCK_STATE_DIR
    logs/<stage>.<replica>.log             what workers print, run after run
    dead/                                  letters, written by the workers
    events/<run>.jsonl                     what has happened (see journal.py)
    run.json                               how the last run ended
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from penstock.errors import EnvironmentFault

TAIL_BYTES = 16 * 1024
"""Of a log, when its worker has died: room for the stacks of a few dozen threads."""
TAIL_LINES = 8
HOME = ".penstock"


def locate(chosen: str | None, app: str | None, pipeline: str) -> str:
    """The state directory of ``pipeline``: ``chosen`` by the user, or beside the app file, or here."""
    if chosen:
        return os.path.abspath(chosen)
    beside = os.path.dirname(os.path.abspath(app)) if app else os.getcwd()
    return os.path.join(beside, HOME, pipeline)


class StateDir:
    """The state directory of one run."""

    def __init__(self, path: str) -> None:
        """Make it if it is not there.

        Raises:
            EnvironmentFault: that cannot be done.
        """
        self.path = path
        try:
            parent = os.path.dirname(path)
            if os.path.basename(parent) == HOME:
                os.makedirs(parent, mode=0o700, exist_ok=True)
            os.makedirs(path, mode=0o700, exist_ok=True)  # others are not to read what items were made of
            os.makedirs(os.path.join(path, "logs"), exist_ok=True)
            os.makedirs(os.path.join(path, "dead"), exist_ok=True)
            self._hide_from_git()
        except OSError as error:
            raise EnvironmentFault(
                f"logs and dead letters cannot be kept in {path}: {error.strerror}; "
                "set PENSTOCK_STATE_DIR to a directory that can be written"
            ) from None

    def log_path(self, stage: str, replica: int) -> str:
        """Where that replica's lines go."""
        return os.path.join(self.path, "logs", f"{stage}.{replica}.log")

    def open_log(self, stage: str, replica: int) -> int:
        """A descriptor to append to that log."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self.log_path(stage, replica), flags, 0o644)

    @property
    def has_letters(self) -> bool:
        """Whether there is anything among the dead letters."""
        folder = os.path.join(self.path, "dead")
        return os.path.isdir(folder) and bool(os.listdir(folder))

    def keep(self, summary: Mapping[str, object]) -> None:
        """Write ``run.json``, whole or not at all.

        Raises:
            OSError: it could not be written; nothing is left behind.
        """
        partial = os.path.join(self.path, "run.part")
        try:
            with open(partial, "w", encoding="utf-8") as file:
                json.dump(summary, file, ensure_ascii=False, indent=1)
            os.replace(partial, os.path.join(self.path, "run.json"))
        except OSError:
            if os.path.exists(partial):
                os.unlink(partial)
            raise

    def _hide_from_git(self) -> None:
        parent = os.path.dirname(self.path)
        ignore = os.path.join(parent, ".gitignore")
        if os.path.basename(parent) == HOME and not os.path.exists(ignore):
            with open(ignore, "w", encoding="ascii") as file:
                file.write("*\n")


def tail(path: str, since: int) -> str:
    """The end of what was written to a log behind byte ``since``."""
    try:
        with open(path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since, end - TAIL_BYTES))
            return file.read().decode("utf-8", "replace").rstrip()
    except OSError:
        return ""


def last_lines(text: str) -> str:
    """As many of its last lines as are read at a glance."""
    return "\n".join(text.splitlines()[-TAIL_LINES:])
