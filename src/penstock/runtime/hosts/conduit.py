"""All messages in order, each once, over connections that come and go. A decision module: no I/O, no clock.

ZeroMQ keeps the order of one connection, and what was in its queues when that broke is lost without a word.
So both sides number what they say and keep it until the other has heard it. Who finds a gap, or learns from
a beat that there is more than came, asks once for the rest again; what comes twice is dropped.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from penstock.errors import PeerError
from penstock.runtime.hostwire import Letter


class Taken(NamedTuple):
    """What follows from one letter."""

    body: bytes = b""
    """To be read; empty: there is nothing new in it."""
    answers: tuple[Letter, ...] = ()
    """To be sent now."""


class Conduit:
    """One side of one stay."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.heard = 0
        """How many have come without a gap."""
        self.bytes = 0
        """Of what the other has not confirmed."""
        self._sent = 0
        self._kept: deque[Letter] = deque()
        self._asked = -1
        """Where the gap began for which we have asked last."""

    def put(self, body: bytes) -> Letter:
        """The next letter; it is kept until the other has heard it."""
        self._sent += 1
        letter = Letter(self.token, self._sent, self._sent, self.heard, body=body)
        self._kept.append(letter)
        self.bytes += len(body)
        return letter

    def beat(self, *, again: bool = False) -> Letter:
        """A sign of life, that says how far we are."""
        return Letter(self.token, 0, self._sent, self.heard, again)

    def take(self, letter: Letter) -> Taken:
        """What a letter of the other means.

        Raises:
            PeerError: it confirms what was never said.
        """
        if letter.heard > self._sent:
            raise PeerError(f"it has heard {letter.heard} messages of {self._sent}")
        while self._kept and self._kept[0].number <= letter.heard:
            self.bytes -= len(self._kept.popleft().body)
        answers = tuple(self._kept) if letter.again else ()
        if letter.number == self.heard + 1:
            self.heard += 1
            return Taken(letter.body, answers)
        if letter.number == 0 and letter.sent > self.heard:
            return Taken(b"", (*answers, self._ask()))
        if letter.number > self.heard + 1 and self._asked != self.heard:
            return Taken(b"", (*answers, self._ask()))
        return Taken(b"", answers)

    def _ask(self) -> Letter:
        self._asked = self.heard
        return self.beat(again=True)
