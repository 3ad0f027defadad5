"""In the worker of a group: where what it prints goes. While a job runs, into the log of that attempt.

It is done below Python, by the file descriptors: what C code and child processes print goes there, too. Most
short jobs print nothing, so a log that stayed empty is given the name of the next one: that costs a rename,
where a new file costs ten times as much.
"""

from __future__ import annotations

import ctypes
import io
import os
import sys
from typing import Any, Optional

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Printed:
    """stdout and stderr of this process."""

    def __init__(self) -> None:
        self._usual = os.dup(1)
        """The log of the worker itself."""
        self._spare: Optional[str] = None
        """The empty log that is still open as ``_file``."""
        self._file = -1
        self._flush_c = _flusher()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True)  # who follows a log is not to wait for 8 KiB of it

    def begin(self, path: str) -> None:
        """From here on it goes to ``path``.

        Raises:
            OSError: no file can be made there; it goes where it went.
        """
        if self._spare is None:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            self._file = os.open(path, FLAGS, 0o600)
        else:
            os.rename(self._spare, path)
        self._spare = path
        self._turn_to(self._file)

    def end(self) -> bool:
        """From here on it goes to the worker's log again; whether anything was printed since ``begin``."""
        self._turn_to(self._usual)
        if self._spare is None or not os.fstat(self._file).st_size:
            return False
        os.close(self._file)
        self._spare = None
        return True

    def close(self) -> None:
        """Leave no empty file behind."""
        if self._spare is not None:
            os.close(self._file)
            os.unlink(self._spare)
            self._spare = None

    def _turn_to(self, file: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._flush_c(None)
        os.dup2(file, 1)
        os.dup2(file, 2)


def _flusher() -> Any:
    """C's ``fflush``: C code has buffers of its own."""
    try:
        return ctypes.CDLL(None).fflush
    except (OSError, AttributeError):
        return lambda _: None
