"""Where calls go: the services of the run that this process belongs to, or that runs beside it."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from functools import lru_cache
from typing import Any, Deque, Dict, Iterable, Iterator, Optional, Tuple

from penstock.errors import NotRunning
from penstock.pipeline.duration import Duration, seconds
from penstock.runtime import client, control
from penstock.runtime.calls.caller import Caller
from penstock.runtime.calls.pending import Pending

_told = lru_cache(maxsize=64)(seconds)
"""A time as it was said the last times: to read it takes as long as to write the call."""
BRIEF = 0.5
"""Seconds in which no run ends and another of the same name begins."""

_known: Dict[str, Connection] = {}
"""By run directory."""
_found: Dict[str, Connection] = {}
"""By the name of the pipeline; empty: ours, or the only one. To look for a run takes longer than to call."""
_making = threading.Lock()


class Connection:
    """The services of one run. Any number of threads and loops may use it."""

    def __init__(self, path: str, pipeline: str) -> None:
        """``path``: of the run directory.

        Raises:
            NotRunning: nobody answers there.
        """
        self._caller = Caller(path, pipeline)
        self._loops: Any = None
        self._looked = time.monotonic()
        self.pid = os.getpid()

    @property
    def is_open(self) -> bool:
        """Whether anything can be called by it."""
        return not self._caller.ended and self.pid == os.getpid()

    def is_current(self) -> bool:
        """The same, also if the run has ended without our having looked since."""
        is_open = not self._caller.ended and self.pid == os.getpid()
        now = time.monotonic()
        if not is_open or now - self._looked < BRIEF:
            return is_open
        self._looked = now
        with self._caller.turnstile:
            if not self._caller.leading:
                self._caller.read_directory()
            return self.is_open

    def call(self, service: str, value: Any, timeout: Optional[Duration]) -> Any:
        """The answer of a service."""
        caller = self._caller
        left = None if timeout is None else _told(timeout) if type(timeout) is str else seconds(timeout)
        turnstile = caller.turnstile
        turnstile.enter()
        try:
            return caller.wait(caller.begin(service, value, left, waits=True))
        finally:
            turnstile.leave()

    async def acall(self, service: str, value: Any, timeout: Optional[Duration]) -> Any:
        """The same without holding up the loop."""
        if self._loops is None:
            from penstock.runtime.calls.loops import Loops

            self._loops = Loops(self._caller)
        return await self._loops.call(service, value, None if timeout is None else seconds(timeout))

    def map(self, service: str, values: Iterable[Any], timeout: Optional[Duration]) -> Iterator[Any]:
        """The answers, in the order of the values; as many calls are out as the replicas hold."""
        caller = self._caller
        left = None if timeout is None else seconds(timeout)
        out: Deque[Pending] = deque()
        try:
            for value in values:
                with caller.turnstile:
                    out.append(caller.begin(service, value, left))
                    full = len(out) >= max(1, caller.room(service))
                if full:
                    yield self._wait(out)
            while out:
                yield self._wait(out)
        finally:
            caller.abandon(out)

    def _wait(self, out: Deque[Pending]) -> Any:
        with self._caller.turnstile:
            return self._caller.wait(out.popleft())

    def disown(self) -> None:
        """In a child of a fork: it is the parent's."""
        self._caller.disown()

    def close(self) -> None:
        """Let go of it; who waits for an answer gets none."""
        with self._caller.turnstile:
            self._caller.close()
            self._caller.release()


def ours(service: str) -> Connection:
    """To the run that this process belongs to; else to the one pipeline that runs here.

    Raises:
        NotRunning: there is none, or it is not clear which is meant.
    """
    known = _found.get("")
    if known is None or not known.is_current():
        known = _found[""] = _to(*(control.here or _beside(service)))
    return known


def named(pipeline: str) -> Connection:
    """To the pipeline of that name.

    Raises:
        NotRunning: it does not run here, or more than once.
    """
    known = _found.get(pipeline)
    if known is None or not known.is_current():
        run = client.find(pipeline)
        known = _found[pipeline] = _to(run.path, run.pipeline)
    return known


def _to(path: str, pipeline: str) -> Connection:
    with _making:
        known = _known.get(path)
        if known is None or not known.is_open:
            if known is not None and known.pid == os.getpid():
                known.close()
            for over in [each for each in _known if not _known[each].is_open]:
                del _known[over]
            known = _known[path] = Connection(path, pipeline)
        return known


def _beside(service: str) -> Tuple[str, str]:
    found = client.runs()
    if len(found) == 1:
        return found[0].path, found[0].pipeline
    if not found:
        raise NotRunning(
            f"no pipeline is running here whose {service} could be called;"
            f" start one with `penstock run app.py`, or call {service}(...) itself"
        )
    listed = ", ".join(run.run for run in found)
    raise NotRunning(
        f"{len(found)} pipelines are running here: {listed}; say which:"
        f" penstock.connect_service({found[0].pipeline!r}, {service!r})"
    )


def _disown() -> None:
    global _making  # noqa: PLW0603  of all threads
    _making = threading.Lock()  # another thread may have had it, who is not here to let go of it
    for each in _known.values():
        each.disown()
    _known.clear()
    _found.clear()


os.register_at_fork(after_in_child=_disown)


@atexit.register
def _close_all() -> None:
    for each in list(_known.values()):
        if each.pid == os.getpid():
            each.close()
