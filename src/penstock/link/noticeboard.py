"""The words between a publisher and its subscribers, and what is kept for those who come late.

    subscriber -> publisher     HEAR version, name, topics, last, conflate, depth, inside
                                DONE how many since then        BYE
    publisher -> subscriber     head u16 | head: topic, at, kept | body     and the frames of large arrays

The subscriber connects a DEALER to the ROUTER that each publisher binds; the supervisor tells it where.
"""

from __future__ import annotations

import struct
from typing import Any, List, Sequence, Tuple, Union, cast

import msgspec

from penstock.errors import PeerError
from penstock.message.parcel import MOST_FRAMES, Opener

VERSION = 1
_LENGTH = struct.Struct("<H")


class Hear(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Let me have these topics."""

    version: int
    name: str
    """``log/0``: how it is counted."""
    topics: List[str]
    last: bool = False
    """Those that were kept, too."""
    conflate: bool = False
    depth: int = 1000
    inside: bool = False


class Done(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """I am through with so many since HEAR."""

    total: int


class Bye(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """I want no more."""


class Head(msgspec.Struct, array_like=True, frozen=True):
    """What comes before a value."""

    topic: str
    at: int
    """ns since 1970."""
    kept: bool = False
    """It was there before whoever gets it asked."""


Word = Union[Hear, Done, Bye]
_words = msgspec.msgpack.Decoder(Word)
_heads = msgspec.msgpack.Decoder(Head)
pack = msgspec.msgpack.Encoder().encode


def headed(head: Head, body: bytes) -> bytes:
    """The first frame of a value."""
    data = pack(head)
    return _LENGTH.pack(len(data)) + data + body


def word(frames: Sequence[Any]) -> Word:
    """What a subscriber says.

    Raises:
        PeerError: nothing that it could.
    """
    if len(frames) != 1:
        raise PeerError(f"a word of a subscriber in {len(frames)} frames")
    try:
        return cast("Word", _words.decode(frames[0]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError(f"no word of a subscriber: {error}") from None


def read(frames: Sequence[Any]) -> Tuple[Head, List[Any]]:
    """The head of a published value, and the frames of the value itself.

    Raises:
        PeerError: it is none.
    """
    if not frames or len(frames) > MOST_FRAMES + 1:
        raise PeerError(f"a published value of {len(frames)} frames")
    first = memoryview(frames[0])
    size = _LENGTH.unpack_from(first)[0] if len(first) >= _LENGTH.size else len(first)
    end = _LENGTH.size + size
    if end > len(first):
        raise PeerError("a published value whose head is cut off")
    try:
        head = _heads.decode(first[_LENGTH.size : end])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError(f"a published value without a head: {error}") from None
    return head, [first[end:], *frames[1:]]


def opened(opener: Opener, frames: Sequence[Any]) -> Any:
    """The value of such frames.

    Raises:
        PeerError: they are none.
        EnvironmentFault: a library that it needs is missing here.
    """
    return opener.value(frames[0]) if len(frames) == 1 else opener.opened(frames)
