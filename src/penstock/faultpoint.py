"""Places where a test has a process killed: between two steps that must not depend on each other.

    PENSTOCK_FAULT=after_event_before_ack penstock worker app.py

A promise about crashes is one about each pair of steps, and no timing from outside hits between two of them.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "PENSTOCK_FAULT"
_armed = os.environ.get(VARIABLE, "")


def reached(name: str) -> None:
    """The process is at that place; if it is the one that is named, it is killed."""
    if name == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
