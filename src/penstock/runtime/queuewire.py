"""The words about items of queues that pass between a supervisor and the workers of a source that draws
from one (known to both processes).

They go over the control line, as jobs do:

    supervisor                     worker
        | Given 1, 2, 3  ------->  |      claimed in the store; they go into its links as there is room
        | <-------  Told [1, 3]    |      all that was made of these is settled
        | <-------  Told 2 failed  |      it cannot be read here
        | Drain  --------------->  |
        | <-------  Told back [4]  |      never sent

Who dies says nothing more: what it had in hand is given back.
"""

from __future__ import annotations

from typing import List

import msgspec


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """One item."""

    number: int
    """By which the two call it."""
    seq: int
    """Its number in the store, by which it is known downstream; 0: it has none."""
    id: str
    body: bytes
    """A body of ``message.codec`` with one value: ``[[item], {}]``, as that of a job."""
    path: str
    """The file that holds it instead; else empty."""


class Given(msgspec.Struct, frozen=True, tag="given"):
    """Supervisor -> worker: these are yours."""

    pieces: List[Piece]


class Unfit(msgspec.Struct, frozen=True, array_like=True):
    """An item that could not be sent."""

    number: int
    is_unusable: bool
    """Another try would not help."""
    error: str
    """One line."""
    kinds: List[str]
    traceback: str


class Told(msgspec.Struct, frozen=True, tag="told"):
    """Worker -> supervisor: what became of some, by their numbers."""

    through: List[int] = []
    unfit: List[Unfit] = []
    back: List[int] = []
