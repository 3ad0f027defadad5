"""Runs in the command line: starts a run that outlives the terminal, and sees it get ready.

The run is a process in a session of its own that says into a log what it would say in the terminal. It holds
a lock on that log for life, as its stdout: so two runs never say into one log, however they are started, and
the kernel lets go of it however they end.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from penstock.errors import PenstockError, TimedOut, UserError
from penstock.runtime import client, statedir
from penstock.runtime.client import Run
from penstock.runtime.statedir import StateDir

LOG = "run.log"
"""In the state directory. It begins anew with each run in the background."""
LOOK = 0.05
"""Seconds between two looks for a run that is not there yet."""
LAST = 10.0
"""Seconds that the one before may take from its last word to the end of its process."""


class NotUp(PenstockError):
    """It ended before it was ready. ``traceback`` is the end of what it said."""

    def __init__(self, message: str, exit_code: int, said: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.traceback = said


class Background:
    """A run that has been started, until it is ready."""

    def __init__(self, pipeline: str, arguments: Sequence[str], state_dir: StateDir) -> None:
        """Start ``penstock run`` with these arguments.

        Raises:
            UserError: it runs already.
        """
        self.pipeline = pipeline
        self.log = os.path.join(state_dir.path, LOG)
        fd = os.open(self.log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            self._take(fd)
            os.ftruncate(fd, 0)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "penstock", "run", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=fd,
                stderr=fd,
                start_new_session=True,
            )
        finally:
            os.close(fd)
        self.pid = self._process.pid

    def wait_ready(self, timeout: float | None) -> Run | None:
        """The run, once it is ready; ``None`` where it was so quick that it has ended well by now.

        Raises:
            NotUp: it ended otherwise.
            TimedOut: it is not ready yet; it goes on.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while self._process.poll() is None:
            left = None if until is None else round(until - time.monotonic(), 2)
            if left is not None and left <= 0:
                raise self._late(timeout)
            if (run := self._find()) is not None and self._is_ready(run, left):
                return run
            time.sleep(LOOK)
        self._refuse_bad_end()
        return None

    def end(self) -> None:
        """Have it drain, and wait for its end; Ctrl-C meanwhile has it stop, and the next kills."""
        while self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait()
            except KeyboardInterrupt:
                continue

    def _find(self) -> Run | None:
        return next((run for run in client.runs() if run.pid == self.pid), None)

    @staticmethod
    def _is_ready(run: Run, timeout: float | None) -> bool:
        try:
            client.call(run, "wait", goal="ready", timeout=timeout)
        except PenstockError:
            return False  # too late, or it ends: its process will tell
        return True

    def _refuse_bad_end(self) -> None:
        """Fine if all is through; else the exit code is as a shell has it."""
        code = self._process.returncode
        if code:
            said = statedir.last_lines(statedir.tail(self.log, 0))
            raise NotUp(f"{self.pipeline} ended before it was ready", code if code > 0 else 128 - code, said)

    def _late(self, timeout: float | None) -> TimedOut:
        return TimedOut(
            f"{self.pipeline} was not ready within {timeout:g} s; it goes on: see `penstock ps` and "
            f"{self.log}, end it with `penstock down`"
        )

    def _take(self, fd: int) -> None:
        """Lock the log. One that is about to end is waited for; else the answer is no."""
        until = time.monotonic() + LAST
        while True:
            running = [run for run in client.runs() if run.state_dir == os.path.dirname(self.log)]
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = False
            except BlockingIOError:
                held = True
            if running or (held and time.monotonic() > until):
                pid = f" (pid {running[0].pid})" if running else ""
                raise UserError(f"{self.pipeline} is running already{pid}; `penstock down` ends it")
            if not held:
                return
            time.sleep(LOOK)
