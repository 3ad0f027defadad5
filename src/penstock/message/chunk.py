"""One chunk of a recording's file: a head that says what it is, and what belongs to it.

    chunk   | crc u32 | head u32 | body u64 | bulk u64 | head | body | up to 64 bytes of nothing | bulk |

    head    msgpack, a tagged array: ABOUT (the first of a file), SENT (one batch), OVER (the last)
    body    the payloads of a batch, one behind the other
    bulk    what they have in shared memory and in frames, each part at a multiple of 64 in the file

The checksum in front is of all but the bulk, which has its own: so a file of many GB is listed by its heads.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple, Union

import msgspec

from penstock.message.envelope import IdRun

VERSION = 1
ALIGNMENT = 64
_FRONT = struct.Struct("<IIQQ")
_LENGTHS = struct.Struct("<IQQ")


class About(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Whose file it is."""

    version: int
    run: str
    link: int
    worker: str
    """``detect/0``."""
    number: int
    began: int
    """ns since 1970."""


class Sent(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """One batch."""

    at: int
    """When it went out: ns since 1970."""
    ids: List[IdRun]
    sizes: List[int]
    """Of each payload."""
    slots: List[List[Tuple[int, int, int, int]]]
    """Of each item, name and size of what it has in shared memory; none where no item has."""
    frames: List[int]
    """The size of each."""
    crc: int
    """Of the bulk."""


class Over(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """Nothing more was recorded here."""

    items: int
    failure: str = ""
    """Why there is not all that was sent; empty: there is."""


Head = Union[About, Sent, Over]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Head).decode


def lay(head: Head, body: bytes, bulk: Sequence[Any], at: int) -> List[Any]:
    """The parts of a chunk that begins at ``at``, as they are written one behind the other."""
    data = _encode(head)
    start = at + _FRONT.size + len(data) + len(body)
    padded, end = [], start
    for part in bulk:
        padded += [b"\0" * (-end % ALIGNMENT), part]
        end += len(padded[-2]) + len(part)
    lengths = len(data), len(body), end - start
    crc = zlib.crc32(body, zlib.crc32(data, zlib.crc32(_LENGTHS.pack(*lengths))))
    return [_FRONT.pack(crc, *lengths), data, body, *padded]


class Found(NamedTuple):
    """A chunk that is whole."""

    head: Head
    body: int
    """Where that begins; so with the others."""
    bulk: int
    end: int


def end_of(view: memoryview, at: int) -> int:
    """Where the chunk that begins at ``at`` ends, by its lengths; beyond all where it has none."""
    start = at + _FRONT.size
    return start + sum(_FRONT.unpack_from(view, at)[1:]) if start <= len(view) else len(view) + 1


def find(view: memoryview, at: int) -> Optional[Found]:
    """The chunk that begins at ``at``; None where no whole one does."""
    if (end := end_of(view, at)) > len(view):
        return None
    crc, head, _, bulk = _FRONT.unpack_from(view, at)
    start = at + _FRONT.size
    if zlib.crc32(view[start : end - bulk], zlib.crc32(view[at + 4 : start])) != crc:
        return None
    try:
        found = Found(_decode(view[start : start + head]), start + head, end - bulk, end)
    except (ValueError, RecursionError):
        return None
    return found if not isinstance(found.head, Sent) or _adds_up(found.head, found) else None


def _adds_up(sent: Sent, found: Found) -> bool:
    """Whether a batch is as long as it says. (A checksum says that nothing was damaged, not who wrote it.)"""
    counts = [count for _, _, count in sent.ids]
    sizes = [size for item in sent.slots for *_, size in item] + sent.frames
    if min(counts, default=0) < 0 or min(sent.sizes, default=0) < 0 or min(sizes, default=0) < 0:
        return False
    end = found.bulk
    for size in sizes:
        end += -end % ALIGNMENT + size
    items = len(sent.sizes)
    return (
        sum(counts) == items
        and len(sent.slots) in {0, items}
        and sum(sent.sizes) == found.bulk - found.body
        and end == found.end
    )
