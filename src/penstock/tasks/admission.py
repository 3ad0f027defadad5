"""Whether a copy of a job may be begun. A decision module.

Where jobs go over a broker, it is copies of them that lie in queues, and a broker may deliver one twice, or
late, or to two. The store has the job once, and the number of its last attempt. A copy says which attempt it
follows, and that tells all:

    copy follows            the job waits         the job runs (attempt n)         is over
    -------------------------------------------------------------------------------------
    before the last         stale                 stale                            stale
    the last but one                              n is this very copy: delivered
                                                  again, or twice                  stale
    the last (n)            begin n + 1           n has ended, and word of that
                                                  is on its way: wait for it       stale
"""

from __future__ import annotations

from typing import Optional, Union

import msgspec

from penstock.tasks.job import LIVE


class Place(msgspec.Struct, frozen=True):
    """How the store has a job."""

    group: str
    state: str
    fence: int
    owner: str


class Begin(msgspec.Struct, frozen=True):
    """Begin it, as this attempt."""

    fence: int


class Repeat(msgspec.Struct, frozen=True):
    """It was begun in that name already, as this attempt: the answer was lost, or comes twice."""

    fence: int


class Over(msgspec.Struct, frozen=True):
    """That copy is worth nothing."""

    why: str


class Elsewhere(msgspec.Struct, frozen=True):
    """Somebody else runs it, if he is still there."""

    fence: int
    owner: str


class Pending(msgspec.Struct, frozen=True):
    """Word of how the last attempt ended must come first; ``owner`` has it, if he is still there."""

    fence: int
    owner: str


class Unknown(msgspec.Struct, frozen=True):
    """There is no such job, or not yet."""


Admission = Union[Begin, Repeat, Over, Elsewhere, Pending, Unknown]


def admit(place: Optional[Place], group: str, after: int, owner: str) -> Admission:
    """What is to be done with a copy that follows the attempt ``after``, which ``owner`` has had from the
    queue of ``group``."""
    if place is None or place.group != group:
        return Unknown()
    if place.state not in LIVE:
        return Over(place.state)
    if place.state != "running":
        return Over("stale") if after < place.fence else Begin(after + 1)
    if after < place.fence - 1:
        return Over("stale")
    if after >= place.fence:
        return Pending(place.fence, place.owner)
    return Repeat(place.fence) if place.owner == owner else Elsewhere(place.fence, place.owner)
