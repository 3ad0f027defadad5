"""Naming the cause of a death: what people read, from what the kernel says. A decision module."""

from __future__ import annotations

import signal
from itertools import takewhile
from typing import NamedTuple

from penstock.runtime.control import Blame

BOOT_FAULT = 78
"""``boot.py``'s exit code where an interpreter cannot run a worker (EX_CONFIG of sysexits)."""

_FATAL = "Fatal Python error: "


class Death(NamedTuple):
    """The end of one process, as it was found."""

    exit: int
    """Exit code; negative: the signal that killed it."""
    oom: bool = False
    """The kernel's count of out-of-memory kills had grown."""
    blame: Blame | None = None
    """The item it had in hand."""
    tail: str = ""
    """The last lines of its log."""
    report: str = ""
    """What its interpreter wrote of a crash: where in the user's code it was."""
    fault: str = ""
    """What ``boot.py`` or the kernel found wrong with the interpreter."""
    stillborn: str = ""
    """Why no process could be made at all."""
    parting: str = ""
    """How it went, where that is known better than its exit code tells: it was a guest's, or we have ended
    its job."""
    lost: bool = False
    """It went with its host: nobody knows more, and it has done nothing."""
    in_hand: str = ""
    """The job it had in hand: that has failed, not the worker."""


def cause(death: Death, condemned: str = "") -> str:
    """One short phrase: ``exit code 3``, ``killed (SIGSEGV)``, ``out of memory``, ``timed out after 30 s``.

    Args:
        death: what was found.
        condemned: why we killed it, if we did: nobody need look further.
    """
    if condemned:
        return condemned
    if death.stillborn or death.fault:
        return death.stillborn or death.fault
    if death.parting:
        return death.parting
    if death.exit >= 0:
        return f"exit code {death.exit}"
    if death.exit == -signal.SIGKILL and death.oom:
        return "out of memory"
    try:
        return f"killed ({signal.Signals(-death.exit).name})"
    except ValueError:
        return f"killed (signal {-death.exit})"


def crash_report(log: str) -> str:
    """From a log, what ``faulthandler`` wrote of the last crash: its first line, and the user's frames.

    It writes a stack for each thread; the one that crashed is called current. Frames of ours come last and
    tell the user nothing.
    """
    _, found, rest = log.rpartition(_FATAL)
    _, _, stack = rest.partition("Current thread")
    frames = list(takewhile(str.strip, stack.splitlines()[1:]))
    theirs = [frame for frame in frames if "/penstock/runtime/" not in frame]
    return "\n".join([_FATAL + rest.partition("\n")[0], *theirs]) if found else ""


def seconds(span: float) -> str:
    """``30 s``, ``0.25 s``: how a span is written in a sentence."""
    return f"{span:g} s"
