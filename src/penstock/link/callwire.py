"""The envelopes of calls: what passes between a caller and a replica of a service.

An envelope is msgpack: an array whose first element is the kind. Large arrays of its value go with it, raw,
in the order in which the value names them; how, and how a peer's end is seen, is the way's (see ``peer``).

    caller -> replica                      replica -> caller
    HELLO    version, caller               ANSWER   call, load, body
    CALL     call, attempt, left, body     FAILED   call, load, kind, message, traceback
    CANCEL   calls                         SKIPPED  call, load, late
                                           LEAVING
                                           REFUSED  why, and no more comes

A body is a msgpack list of one value (see ``message.codec``), embedded as it is. Every CALL is answered by
exactly one ANSWER, FAILED or SKIPPED, also one that was cancelled: so the caller always knows how many of its
calls a replica holds, which is its credit there. ``load`` is how many calls the replica holds of everybody.
"""

from __future__ import annotations

from typing import Any, List, Optional, Union

import msgspec

from penstock.errors import PeerError

VERSION = 2
"""Of this protocol; a caller of another is refused."""

ONE = b"\x91"
"""The head of a msgpack list of one value."""

LONGEST_TEXT = 20_000
"""Characters of a message or traceback that travel."""


class Hello(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """A caller introduces itself."""

    version: int
    caller: int
    """A number that no other has."""


class Call(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """Do this, and answer."""

    call: int
    """The caller's number for it."""
    attempt: int
    """1, and one more for each replica that was lost with it."""
    left: Optional[float]
    """Seconds in which the answer is of use; None: at any time."""
    body: msgspec.Raw


class Cancel(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """Nobody waits for these any more."""

    calls: List[int]


class Answer(msgspec.Struct, array_like=True, frozen=True, tag=11):
    """What a call has returned."""

    call: int
    load: int
    body: msgspec.Raw


class Failed(msgspec.Struct, array_like=True, frozen=True, tag=12):
    """A call has raised."""

    call: int
    load: int
    kind: str
    """The name of the exception's class."""
    message: str
    traceback: str


class Skipped(msgspec.Struct, array_like=True, frozen=True, tag=13):
    """A call has no answer: it came or ended too late, was cancelled, or the replica leaves."""

    call: int
    load: int
    late: bool
    """Nobody waits for it; else it is for another replica."""


class Leaving(msgspec.Struct, array_like=True, frozen=True, tag=14):
    """Send nothing more here; what was sent is answered."""


class Refused(msgspec.Struct, array_like=True, frozen=True, tag=15):
    """What has come is none of this protocol: what was sent here has no answer."""

    why: str


FromCaller = Union[Hello, Call, Cancel]
FromReplica = Union[Answer, Failed, Skipped, Leaving, Refused]

pack = msgspec.msgpack.Encoder().encode
_from_caller = msgspec.msgpack.Decoder(FromCaller).decode
_from_replica = msgspec.msgpack.Decoder(FromReplica).decode


def body(payload: bytes) -> msgspec.Raw:
    """One encoded value as a body."""
    return msgspec.Raw(ONE + payload)


def from_caller(word: Any) -> FromCaller:
    """What a caller says.

    Raises:
        PeerError: it is nothing of this protocol.
    """
    return _read(_from_caller, word)  # type: ignore[no-any-return]


def from_replica(word: Any) -> FromReplica:
    """What a replica says.

    Raises:
        PeerError: it is nothing of this protocol.
    """
    return _read(_from_replica, word)  # type: ignore[no-any-return]


def _read(decode: Any, word: Any) -> Any:
    try:
        return decode(word)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError(f"not a word of a call: {error}") from None
