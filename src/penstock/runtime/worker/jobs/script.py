"""In the worker of a group: a job that is a command line.

Its exit code decides, by the names that sysexits.h gives them: 0 is done, 75 (EX_TEMPFAIL) asks for another
attempt later, 78 (EX_CONFIG) says that none would help; any other is a failure like an exception. It is in
our process group, so what ends us ends it; what it prints is in the log of the attempt, its last lines in
the failure.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any, Dict, List, Mapping, Sequence

from penstock.errors import Reject, Retry
from penstock.runtime.jobwire import Work
from penstock.runtime.oom import OomWatch
from penstock.runtime.worker.jobs.attempt import ScriptFailed

AGAIN, NEVER = 75, 78
LINES = 20
"""Of what it printed, in its failure."""
TAIL = 16_000


def run(work: Work, argv: Sequence[Any], options: Mapping[str, Any], out: str) -> None:
    """Run it to its end. ``out``: the directory for what it makes.

    Raises:
        Retry: it asks for another attempt.
        Reject: it says that another one would not help.
        ScriptFailed: it has failed, or could not be started.
    """
    oom = OomWatch()
    try:
        process = subprocess.Popen(
            [str(word) for word in argv],
            cwd=options.get("cwd") or None,
            env=_environment(work, options.get("env") or {}, out),
            stdin=subprocess.DEVNULL,
        )
    except (OSError, ValueError) as error:
        raise ScriptFailed(f"{' '.join(map(str, argv))[:200]}: {error}", "") from None
    code = _wait(process)
    if code == 0:
        return
    tail = _tail(work.log)
    last = tail.rpartition("\n")[2]
    if code == AGAIN:
        raise Retry(f"exit code {AGAIN}" + (f": {last}" if last else ""))
    if code == NEVER:
        raise Reject(f"exit code {NEVER}" + (f": {last}" if last else ""))
    if code == -signal.SIGKILL and oom.grown():
        raise ScriptFailed("out of memory", tail, "oom")
    raise ScriptFailed(_named(code) + (f": {last}" if last else ""), tail, "error" if code > 0 else "crash")


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Also when we are told to end: it has got the same signal, and may take its time as we may."""
    try:
        return process.wait()
    except SystemExit:
        process.wait()
        raise


def _environment(work: Work, more: Mapping[str, Any], out: str) -> Dict[str, str]:
    ours = {"PENSTOCK_JOB": work.id, "PENSTOCK_ATTEMPT": str(work.attempt), "PENSTOCK_OUT": out}
    if work.resume_uri:
        ours["PENSTOCK_RESUME"] = work.resume_uri
    return {**os.environ, **ours, **{name: str(value) for name, value in more.items()}}


def _named(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed ({signal.Signals(-code).name})"
    except ValueError:
        return f"killed (signal {-code})"


def _tail(path: str) -> str:
    """The last lines of a log."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines: List[str] = file.read().decode("utf-8", "replace").rstrip().splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-LINES:])
