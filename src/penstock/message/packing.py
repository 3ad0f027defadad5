"""Compression of what travels between hosts. The only module that knows lz4 and zstandard, where they are.

What comes packed says how much it has unpacked. That is looked at before any room is made for it, and again
when it is unpacked: a few bytes that would become thousands of millions are refused.
"""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple, Type

from penstock.errors import PeerError

AUTO = "auto"
WAYS = ("lz4", "zstd")
"""By the names that people know."""
PACKAGES = {"lz4": "lz4", "zstd": "zstandard"}
"""What is installed for each."""

LEAST = 4096
"""Bytes below which a frame goes as it is."""
MOST = 1 << 30
"""Bytes that the packed frames of one message have unpacked, all together; what is more goes as it is."""
MANY = 8192
"""Frames of one message; one that has more goes as it is, as its head has to say a size for each."""
WIDENS = {"lz4": 255, "zstd": 1 << 16}
"""How much larger a packed frame can become: as much as its format can say."""
WORTH = 15 / 16
"""A frame that is packed no smaller than that goes as it is."""
LEVEL = 1
"""Of zstd: its quickest, as a link waits for it."""


class Packing(NamedTuple):
    """One way to pack."""

    pack: Callable[[Any], bytes]
    unpack: Callable[[Any, int], bytes]
    """Of a frame and the size that it says."""
    errors: Tuple[Type[BaseException], ...]
    """What ``unpack`` raises of a frame that is none."""


def able(wish: str) -> List[str]:
    """The ways that ``wish``, one of them or ``"auto"``, may mean here: those whose library is there."""
    return [way for way in WAYS if wish in {way, AUTO} and find(way) is not None]


def lacking(wish: str) -> str:
    """What to say where there is none of them: what is not installed, for whom, and what to do."""
    packages = [PACKAGES[way] for way in WAYS if wish in {way, AUTO}]
    which, several = " and ".join(packages), len(packages) > 1
    return (
        f"compress={wish!r}: {which} {'are' if several else 'is'} not installed for {sys.executable};"
        f" install {packages[0]} in that environment"
    )


@functools.lru_cache(maxsize=8)
def find(way: str) -> Optional[Packing]:
    """That way to pack; None: its library is not there, or there is no such way."""
    try:
        return _MAKERS[way]() if way in _MAKERS else None
    except ImportError:
        return None


def pack(way: str, frames: Sequence[Any]) -> Tuple[List[Any], List[int]]:
    """The frames, packed where that makes them smaller, and what each has unpacked; 0: it is as it was."""
    found = find(way)
    sizes, packed, room = [0] * len(frames), list(frames), MOST
    if found is None or len(frames) > MANY:
        return packed, sizes
    for place, frame in enumerate(frames):
        size = nbytes(frame)
        if not LEAST <= size <= room:
            continue
        data = found.pack(frame)
        if len(data) < size * WORTH:
            packed[place], sizes[place] = data, size
            room -= size
    return packed, sizes


def unpack(way: str, sizes: Sequence[int], frames: List[Any], ways: Sequence[str]) -> List[Any]:
    """The frames as they were. ``ways``: those that we have said we can read.

    Raises:
        PeerError: they are packed in another way, or are not what their head says.
    """
    if not way and not sizes:
        return frames
    found = find(way) if way in ways else None
    if found is None:
        raise PeerError(f"frames packed by {way!r:.40}, which we have not asked for")
    if len(sizes) != len(frames) or min(sizes) < 0 or sum(sizes) > MOST:
        raise PeerError(
            f"{len(frames)} frames that say they have {sum(sizes)} bytes unpacked (at most {MOST})"
        )
    return [_unpacked(found, way, frame, size) if size else frame for frame, size in zip(frames, sizes)]


def nbytes(frame: Any) -> int:
    """Of a frame, whatever holds it."""
    return memoryview(frame).nbytes


def _unpacked(found: Packing, way: str, frame: Any, size: int) -> bytes:
    if size > nbytes(frame) * WIDENS[way]:
        raise PeerError(f"a frame of {nbytes(frame)} bytes that says it has {size} unpacked")
    try:
        data = found.unpack(frame, size)
    except found.errors as error:
        raise PeerError(f"a frame that is not packed by {way}: {error}") from None
    if len(data) != size:
        raise PeerError(f"a frame that has {len(data)} bytes unpacked and says {size}")
    return data


def _lz4() -> Packing:
    import lz4.block

    def unpack(frame: Any, size: int) -> bytes:
        data: bytes = lz4.block.decompress(frame, uncompressed_size=size)
        return data

    packing = functools.partial(lz4.block.compress, store_size=False)
    return Packing(packing, unpack, (lz4.block.LZ4BlockError, ValueError))


def _zstd() -> Packing:
    if sys.version_info >= (3, 14):
        from compression import zstd

        def sized(frame: Any, size: int) -> bytes:
            _agree(zstd.get_frame_info(frame).decompressed_size, size)
            return zstd.ZstdDecompressor().decompress(frame, max_length=size + 1)

        return Packing(functools.partial(zstd.compress, level=LEVEL), sized, (zstd.ZstdError, ValueError))
    import zstandard

    def unpack(frame: Any, size: int) -> bytes:
        # What the frame itself says is what the library makes room for, whatever limit it is given.
        _agree(zstandard.get_frame_parameters(frame).content_size, size)
        return zstandard.ZstdDecompressor().decompress(frame, max_output_size=size)

    def packing(frame: Any) -> bytes:
        return zstandard.ZstdCompressor(level=LEVEL).compress(frame)

    return Packing(packing, unpack, (zstandard.ZstdError, ValueError))


def _agree(inside: Optional[int], size: int) -> None:
    if inside != size:
        raise ValueError(f"it has {inside} bytes unpacked, and its head says {size}")


_MAKERS = {"lz4": _lz4, "zstd": _zstd}
