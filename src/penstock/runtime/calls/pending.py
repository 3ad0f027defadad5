"""In whoever calls services: a call that has no answer yet."""

from __future__ import annotations

import threading
from typing import Any, Callable, List, Optional

import msgspec


class Pending:
    """One call, from when it is made until there is an outcome."""

    __slots__ = (
        "_error", "_value", "attempt", "body", "done", "due", "frames", "id", "losses", "notify", "replica",
        "service", "sleeps", "turn", "version",
    )  # fmt: skip

    def __init__(
        self, id: int, service: str, body: msgspec.Raw, frames: List[Any], due: Optional[float]
    ) -> None:
        """``due``: when, on the clock, nobody waits for it any more; ``None``: never."""
        self.id = id
        self.service = service
        self.body = body
        self.frames = frames
        self.due = due
        self.attempt = 1
        self.losses = 0
        """Replicas that died while they worked on it."""
        self.turn = 0
        """When it was sent: of those at one replica, who is before whom."""
        self.replica = 0
        """Who has it; 0: it waits for room."""
        self.version = ""
        """Of the service: that of the replica which was lost with it; empty: any."""
        self.done = False
        self.notify: Optional[Callable[[], object]] = None
        """Tells whoever waits, where that is not who reads."""
        self.sleeps = False
        """That is a thread, which can read itself."""
        self._value: Any = None
        self._error: Optional[BaseException] = None

    def succeed(self, value: Any) -> None:
        """It has returned."""
        self._value, self.done = value, True
        self.frames = []
        if self.notify is not None:
            self.notify()

    def fail(self, error: BaseException) -> None:
        """It has not."""
        self._error, self.done = error, True
        self.frames = []
        if self.notify is not None:
            self.notify()

    def result(self) -> Any:
        """What it has returned.

        Raises:
            BaseException: why there is no such.
        """
        if self._error is not None:
            raise self._error
        return self._value

    def sleep(self, turnstile: Any, seconds: Optional[float]) -> None:
        """Without the socket, wait until there is an outcome, or somebody else has to read."""
        woken = threading.Event()
        self.notify, self.sleeps = woken.set, True
        turnstile.leave()
        try:
            woken.wait(seconds)
        finally:  # also after Ctrl-C: who called us lets go of it once more
            self.sleeps = False
            turnstile.enter()
