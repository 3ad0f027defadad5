"""A place in the user's code: where a stage was declared, where two were wired."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple, Optional


class Place(NamedTuple):
    """A line of a file; as text ``app.py:12``, seen from the current directory when it lies below."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{near(self.file)}:{self.line}"

    @property
    def directory(self) -> str:
        """The file's directory: what paths written in the file are relative to."""
        return os.path.dirname(os.path.abspath(self.file))


def caller() -> Place:
    """The place that called the function which calls this one."""
    frame = sys._getframe(2)  # noqa: SLF001  (inspect.stack() reads source files, at every `>>`)
    return Place(frame.f_code.co_filename, frame.f_lineno)


def importing() -> Optional[Place]:
    """The place that called the function which calls this one, if it runs because its file is imported."""
    frame = sys._getframe(2)  # noqa: SLF001  (as above)
    is_import = frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") != "__main__"
    return Place(frame.f_code.co_filename, frame.f_lineno) if is_import else None


def near(path: str) -> str:
    """``path`` as people in the current directory would write it; elsewhere in full."""
    start = os.path.join(os.getcwd(), "")
    whole = os.path.abspath(path)
    return whole[len(start) :] if whole.startswith(start) else path
