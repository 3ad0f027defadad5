"""What stands before each message between hosts: its place in the conversation, and how it was packed.

    frame 0             frame 1              frame 2..
    +---------------+   +----------------+   +------------------------------------------+
    | head, msgpack |   | as within a    |   | large arrays, raw: those without room in |
    |               |   | host: envelope |   | shared memory, then those that are there |
    +---------------+   +----------------+   +------------------------------------------+

Both ends say words of one kind; RESUME and HEARD have frame 0 alone. See ``link/session.py``.
"""

from __future__ import annotations

from typing import Any, List

import msgspec

from penstock.errors import PeerError

LONGEST = 1 << 16
"""Bytes of a head. It has a number for each frame, and these are few."""

WORD, RESUME, HEARD = 0, 1, 2


class Head(msgspec.Struct, array_like=True, frozen=True):
    """Frame 0."""

    kind: int
    """WORD, RESUME, or HEARD: a long word has come, said at once so that the line can be measured."""
    number: int
    """Of a word: its place, from 1. Of others: 0."""
    heard: int
    """Up to where all has been heard that the other end has said."""
    packing: str = ""
    """How frames are packed; empty: they are as they are."""
    sizes: List[int] = []
    """Of packed ones, what they have unpacked; 0 for one that is as it is."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Head).decode


def pack(head: Head) -> bytes:
    """As its frame."""
    return _encode(head)


def read(frames: List[Any]) -> Head:
    """The head of a message.

    Raises:
        PeerError: it has none, or one that says nonsense.
    """
    if not frames or len(frames[0]) > LONGEST:
        raise PeerError("a message from another host without a head")
    try:
        head: Head = _decode(frames[0])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError(f"not the head of a message between hosts: {error}") from None
    if head.kind not in (WORD, RESUME, HEARD) or head.number < 0 or head.heard < 0:
        raise PeerError(f"a head of kind {head.kind} with the numbers {head.number} and {head.heard}")
    if (head.kind != WORD) is not (len(frames) == 1):
        raise PeerError(f"a head of kind {head.kind} before {len(frames) - 1} frames")
    return head
