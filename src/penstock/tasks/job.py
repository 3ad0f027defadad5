"""What is known of jobs: the records that pass between who submits them, the store, and who runs them.

    scheduled -> ready -> running -> done
        ^          ^         |----> dead          (may be put back: -> ready)
        |          |         |----> cancelled
        +----------+---------+                    (fails and may be tried again; is given back)

Times are whole milliseconds since 1970: what a job is to wait for outlives every process and its clocks.
"""

from __future__ import annotations

import os
import re
import time
from typing import Annotated, Any, Dict, List, Literal, Optional, Tuple

import msgspec

from penstock.pipeline.duration import LONGEST

State = Literal["scheduled", "ready", "running", "done", "dead", "cancelled"]
LIVE: Tuple[State, ...] = ("scheduled", "ready", "running")
"""What will still change by itself."""
STATES: Tuple[State, ...] = (*LIVE, "done", "dead", "cancelled")

SOMEDAY = 253_402_300_799_000
"""When a job is due that waits for others and not for a time: at the end of the year 9999."""

Cause = Literal["error", "rejected", "crash", "oom", "timeout", "unusable"]
"""Why an attempt failed: the code raised; it said ``Reject``; its process died; of too little memory; it took
too long; it cannot be run here (no such task, arguments that do not fit): trying again would not help."""


ID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"
"""As ``new_id`` makes them. It becomes a part of the names of files."""
MOST = 2**53
"""No number of a job is larger: every language and every store holds it."""
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
Offset = Annotated[int, msgspec.Meta(ge=-1, le=MOST)]
"""A byte of a file; -1: its end."""
Span = Annotated[float, msgspec.Meta(ge=0, le=LONGEST)]
"""Seconds."""
Id = Annotated[str, msgspec.Meta(pattern=ID)]


def is_id(text: object) -> bool:
    """Whether it can be that of a job."""
    return isinstance(text, str) and re.match(ID, text) is not None


def wall() -> int:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """A UUID of version 7 (RFC 9562): ids of one machine sort by time, so an index of them stays dense."""
    return uuid7(wall(), os.urandom(10))


def uuid7(at: int, rest: bytes) -> str:
    """That of a time and of (the first ten of) these bytes."""
    value = (at << 80) | int.from_bytes(rest[:10], "big")
    value = value & ~(0xF << 76) | (7 << 76)
    value = value & ~(3 << 62) | (2 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Rules(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a job is to be treated, as its task said when it was submitted."""

    max_failures: Count = 3
    """It may fail this often and be tried again; one more and it is dead."""
    timeout: Optional[Span] = None
    """Seconds an attempt may take; ``None``: as long as it likes."""
    backoff: Span = 1.0
    """Seconds before it is tried again; doubled with every failure."""
    longest: Span = 600.0
    """Seconds between two attempts at most."""
    retry_on: List[str] = []
    """Names of exceptions, and causes, that are worth another attempt; none: all are."""
    isolate: bool = False
    """A process of its own for every attempt."""
    gpus: Count = 0
    grace: Span = 10.0
    """Seconds between telling it to end and killing it."""


class NewJob(msgspec.Struct, frozen=True):
    """A call that is to be on disk."""

    group: str
    task: str
    args: bytes
    """A body of ``message.codec`` with one value: ``[positional, named]``."""
    id: Id = msgspec.field(default_factory=new_id)
    priority: Annotated[int, msgspec.Meta(ge=-MOST, le=MOST)] = 0
    """Higher ones first."""
    run_at: Count = 0
    """Not before."""
    unique: str = ""
    """While one with this key is live in its group, no second is taken."""
    rules: Rules = Rules()
    by: str = ""
    """Who submitted it, in words for people."""
    needs: List[Id] = []
    """The ids of jobs whose results are its first arguments: it waits for them."""
    file: str = ""
    """What the file is called that holds ``args`` instead (``depot``)."""


class Claim(msgspec.Struct, frozen=True):
    """A job that is ours to run, until we say what became of it."""

    id: str
    seq: int
    group: str
    task: str
    fence: int
    """The number of this attempt, from 1: whoever writes with an older one writes nothing."""
    args: bytes
    args_path: str
    """The file that holds what is too large for the store; else empty."""
    rules: Rules
    failures: int
    preemptions: int
    resume_uri: str = ""
    resume_step: int = 0


class JobRow(msgspec.Struct, frozen=True):
    """All that is known of one, but for its arguments and its result."""

    seq: int
    """Its number in the store: short, for people."""
    id: str
    group: str
    task: str
    state: State
    priority: int
    run_at: int
    submitted_at: int
    started_at: Optional[int]
    finished_at: Optional[int]
    failures: int
    preemptions: int
    fence: int
    owner: str
    """The worker that runs it, or ran it last."""
    progress: Optional[float]
    numbers: Dict[str, Any]
    """What was said with the progress."""
    cancel: bool
    """It is to be ended as soon as it can be."""
    unique: str
    resume_uri: str
    resume_step: int
    cause: str
    """Why it failed last: one line; empty: it never did."""
    rules: Rules
    by: str
    after: List[int] = []
    """The numbers of the jobs it still waits for."""


class Attempt(msgspec.Struct, frozen=True):
    """One start of a job that has come to an end."""

    fence: int
    worker: str
    pid: int
    started_at: int
    ended_at: int
    outcome: str
    """``done``, ``failed``, ``returned`` or ``cancelled``."""
    cause: str = ""
    """A ``Cause``, where it failed."""
    error: str = ""
    """One line."""
    traceback: str = ""
    log: str = ""
    """The path of what it printed."""
    tail: str = ""
    """The end of that."""
    env: str = ""
    """The hash of the environment that it ran in, where its group has named one."""
