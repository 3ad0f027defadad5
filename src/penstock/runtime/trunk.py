"""Runs in the command line: asks a run on another machine, by tcp and CURVE.

What is said is drawn in ``hosts.switchboard``. A question is said again every second until its answer has
come; the run says each time that it is at it.
"""

from __future__ import annotations

import os
import socket
import time

from penstock.errors import NotRunning, TimedOut, UserError
from penstock.patterns.endpoint import read
from penstock.patterns.tuning import Tuning
from penstock.patterns.wire import Wire
from penstock.runtime import hostwire
from penstock.security.keys import Towards

PATIENCE = 5.0
"""Seconds without a word, after which nobody is taken to be there."""
AGAIN = 1.0
"""Seconds between two times that one thing is asked."""


class Silence(NotRunning):
    """A run that has spoken before is not heard any more."""


class Trunk:
    """The line to one run. One thread's."""

    def __init__(self, endpoint: str, towards: Towards) -> None:
        """See that somebody listens there.

        Raises:
            NotRunning: nobody does.
            UserError: it is no endpoint, or a key cannot be used.
        """
        place = read(endpoint)
        if place.transport != "tcp" or not place.port:
            raise UserError(f"{endpoint} is not where a run listens: write tcp://HOST:PORT")
        _ring(endpoint, place.place, place.port)
        self.endpoint = endpoint
        self._answered = False
        self._public = towards.keyring.own.public
        tuning = Tuning(
            hwm=0, linger=0.0, reconnect=0.05, reconnect_most=1.0, max_message=hostwire.LIMIT, watch=False
        )
        self._wire = Wire(
            endpoint, "DEALER", binds=False, timeout=None, curve=towards, tuning=tuning, prompt=True
        )
        try:
            self._wire.open([endpoint])
        except BaseException:
            self._wire.close()
            raise

    def ask(self, question: bytes, within: float | None = None) -> bytes:
        """The answer to one question, each a line. ``within``: seconds after which none is waited for.

        Raises:
            NotRunning: nothing is heard.
            UserError: our key is not trusted there.
            TimedOut: there is no answer in that time.
        """
        key = os.urandom(16)
        began = heard = time.monotonic()
        while True:
            self._say([key, question])
            until = time.monotonic() + AGAIN
            while (left := until - time.monotonic()) > 0:
                came = self._hear(left, key)
                if came:
                    return came
                if came is not None:
                    heard, self._answered = time.monotonic(), True
            if time.monotonic() - heard > PATIENCE:
                raise self._silence()
            if within is not None and time.monotonic() - began > within:
                raise TimedOut(f"{self.endpoint} did not answer within {within:g} s")

    def close(self) -> None:
        """Hang up."""
        self._wire.close()

    def _say(self, frames: list[bytes]) -> None:
        if not self._wire.offer(frames):
            # ZeroMQ drops a connection for good when whoever was reached says that our key is not trusted.
            raise UserError(
                f"{self.endpoint} does not let us in; who runs it may: penstock keys trust '{self._public}'"
                " --role owner (or observer)"
            )

    def _hear(self, seconds: float, key: bytes) -> bytes | None:
        """What is said to that question; empty: not yet. None: nothing was."""
        try:
            first = bytes(self._wire.take(seconds))
        except TimedOut:
            return None
        rest = self._wire.rest()
        return bytes(rest[0]) if first == key and len(rest) == 1 else None

    def _silence(self) -> NotRunning:
        if self._answered:
            return Silence(f"{self.endpoint} was not heard for {PATIENCE:g} s; what was asked may be done")
        return NotRunning(
            f"{self.endpoint} takes connections and says nothing to us: it has another key than we expect"
            " (compare `penstock keys show` here and there)"
        )


def _ring(endpoint: str, host: str, port: int) -> None:
    """ZeroMQ does not say that nobody takes its connections; the system does, at once."""
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except OSError as error:
        raise NotRunning(f"no run listens at {endpoint}: {error.strerror or error}") from None
