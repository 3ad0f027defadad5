"""In whoever calls services: what its supervisor says of them, as it changes.

One line of JSON on ``control.sock`` for each change: which replicas there are, which of them take calls,
how calls are shared between versions, and why those ended that are no more. It is the same for a worker of
the run and for a notebook beside it; and the connection ends with the supervisor, however that ends: so
nobody waits for the answer of a run that is no more.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from penstock.errors import NotRunning
from penstock.runtime.rundir import CALLS, CONTROL


class Seat(NamedTuple):
    """A replica that lives."""

    number: int
    label: str
    version: str
    endpoint: str
    takes: bool
    """Whether it takes calls: it is ready, and not about to end."""
    window: int
    """Calls that it may hold, of each caller."""


class Listing(NamedTuple):
    """One service."""

    max_failures: int
    """A call may be lost with its replica that often, and be tried again."""
    shares: Dict[str, float]
    """Which part of the calls each version gets."""
    seats: List[Seat]


class Gone(NamedTuple):
    """How a replica died."""

    cause: str = ""
    """Empty: it was through."""
    caller: int = 0
    call: int = 0
    """What it worked on then: whose call, by its caller's number for it; 0: on none, or on several."""


class Directory:
    """The services of one run."""

    def __init__(self, path: str, pipeline: str, *, caller: int = 0) -> None:
        """``path``: of the run directory. ``caller``: a number of ours that no other has.

        Raises:
            NotRunning: nobody answers there, or it tells us nothing.
        """
        self.pipeline = pipeline
        self.curve: Optional[Tuple[str, str]] = None
        """The run's key, if it may have other hosts: public and secret."""
        self.services: Dict[str, Listing] = {}
        self.gone: Dict[int, Gone] = {}
        """Those that died, by number; one that is not there was through."""
        self._data = b""
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            elsewhere = os.path.join(path, CALLS)  # on a host that has joined: its agent knows what we ask
            self._line.connect(elsewhere if os.path.exists(elsewhere) else os.path.join(path, CONTROL))
            self._line.sendall(json.dumps({"verb": "calls", "caller": caller}).encode() + b"\n")
            while not self._more():
                pass
        except OSError:
            self._line.close()
            raise NotRunning(f"{pipeline} is not running any more") from None
        except NotRunning:
            self._line.close()
            raise
        self._line.setblocking(False)

    def fileno(self) -> int:
        """Can be read when something has changed."""
        return self._line.fileno()

    def read(self) -> Tuple[bool, bool]:
        """Take in all that has come: whether something has changed, and whether the run is still there."""
        changed = False
        try:
            while True:
                changed |= self._more()
        except (BlockingIOError, InterruptedError):
            return changed, True
        except OSError:
            return changed, False

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _more(self) -> bool:
        """Whether a whole snapshot has come."""
        data = self._line.recv(1 << 16)
        if not data:
            raise ConnectionResetError
        *lines, self._data = (self._data + data).split(b"\n")
        if lines:
            self._take(json.loads(lines[-1]))
        return bool(lines)

    def _take(self, answer: Dict[str, Any]) -> None:
        if not answer["ok"]:
            raise NotRunning(f"{self.pipeline} does not tell of its services: {answer['error']}")
        told = answer["result"]
        self.services = {name: _listing(each) for name, each in told["services"].items()}
        self.gone = {int(number): Gone(*each) for number, each in told["gone"].items()}
        self.curve = (told["curve"][0], told["curve"][1]) if told["curve"] else None


def _listing(told: Dict[str, Any]) -> Listing:
    seats = [Seat(*each) for each in told["seats"]]
    return Listing(told["max_failures"], told["shares"], seats)


def refusal(directory: Directory, service: str) -> str:
    """Why ``service`` cannot be called; empty: it can."""
    if service in directory.services:
        return ""
    from penstock.pipeline.nearest import nearest

    known = nearest(service, directory.services) or "; say it to the pipeline: Pipeline(..., classify)"
    return f"the pipeline {directory.pipeline} has no service {service!r}{known}"
