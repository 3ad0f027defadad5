"""The words about jobs that pass between a supervisor and the workers of a group (known to both processes).

They go over the control line (see ``control``), one after the other:

    supervisor                      worker
        | Work a, Work b  ------->  |      b is handed ahead, where jobs are short
        | <-------  JobNote a ...   |
        | <-------  Worked a        |      b has begun as soon as a is through: nobody need say so
        | Cancel b, Recall ------>  |
        | <-------  Worked b        |      given back, where it had not begun

The line is an ordered, framed, watched socket pair that is there before the worker is. What a link adds to
that (credit, many receivers, shared memory) a job does not need.
"""

from __future__ import annotations

from typing import Any, Dict, List, Literal, Optional, Union

import msgspec

from penstock.runtime import control
from penstock.runtime.queuewire import Given, Told
from penstock.tasks.job import Count


class Work(msgspec.Struct, frozen=True, tag="work"):
    """Supervisor -> worker: this job is yours to run, when those before it are through."""

    id: str
    fence: int
    task: str
    attempt: int
    """1, and more when it comes again."""
    failures: int
    args: bytes
    """A body of ``message.codec`` with one value: ``[positional, named]``."""
    args_path: str
    """The file that holds them instead; else empty."""
    log: str
    """The file for what it prints."""
    results: str
    """The folder for a result that is too large for a message."""
    out: str
    """The directory of its own that it may make."""
    resume_uri: str = ""
    resume_step: int = 0
    isolate: bool = False
    """It is the only one of this process."""


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Supervisor -> worker: this job is to end; a signal follows where it has begun."""

    id: str


class Recall(msgspec.Struct, frozen=True, tag="recall"):
    """Supervisor -> worker: give back what you have not begun."""


class Worked(msgspec.Struct, frozen=True, tag="worked"):
    """Worker -> supervisor: I am through with this job."""

    id: str
    fence: int
    how: Literal["done", "failed", "returned"]
    result: bytes = b""
    path: str = ""
    """The file that holds the result instead."""
    cause: str = ""
    """If it failed: a ``tasks.job.Cause``."""
    error: str = ""
    kinds: List[str] = []
    """The names by which the exception is known."""
    traceback: str = ""
    after: Optional[float] = None
    """Seconds after which it asked to be tried again."""
    begun: bool = True
    printed: bool = False
    """There is something in its log."""
    wrote: bool = False
    """It has made its own directory."""
    took: float = 0.0
    """Seconds of user code."""


class JobNote(msgspec.Struct, frozen=True, tag="job-note"):
    """Worker -> supervisor: how far the job in hand is, or what it has saved."""

    id: str
    fence: int
    progress: Optional[float] = None
    numbers: Dict[str, Any] = {}
    resume_uri: str = ""
    resume_step: Count = 0


ToWorker = Union[control.ToWorker, Work, Cancel, Recall, Given]
ToSupervisor = Union[control.ToSupervisor, Worked, JobNote, Told]
