"""One file of a recording: what one worker has sent by one link, in the order in which it went out.

    file    | magic, 8 bytes | chunk | chunk | ...         written by one process, which only appends

A chunk goes to the kernel before its batch goes to a socket. So whatever kills the writer, what it has sent
is here, and a chunk that is not whole was not sent: its length is more than the file has, or its checksum is
another, and there the file ends for whoever reads it. A file that ends with OVER was closed by its writer.
How a chunk is laid says ``chunk``.
A slot is named as in the payload, by arena, offset and generation: nothing is decoded to be recorded.
What is read lies in the mapped file, uncopied and read-only, like what comes from an arena.
"""

from __future__ import annotations

import mmap
import os
import zlib
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from penstock.errors import PeerError
from penstock.message import arrays
from penstock.message.chunk import ALIGNMENT, VERSION, About, Found, Head, Over, Sent, end_of, find, lay
from penstock.message.codec import Decoder
from penstock.message.envelope import IdRun
from penstock.message.freight import SlotName, name_of
from penstock.message.source import Source
from penstock.message.views import Place

SUFFIX = ".segment"
MAGIC = b"PENSTREC"
MOST_PARTS = 1024
"""Buffers that the kernel takes in one call."""

SlotPart = Tuple[int, int, int, Any]
"""The same, and the bytes."""
Places = Dict[SlotName, Tuple[int, int]]
"""Where in the file each is, and how long."""


# ------------------------------------------------------------------------------------------------ write


def file_name(link: int, worker: int) -> str:
    """Of what one worker sends by one link."""
    return f"{link}.{worker}{SUFFIX}"


class Writer:
    """Appends to a file of its own."""

    def __init__(self, path: str, about: About) -> None:
        """Make it.

        Raises:
            OSError: it is there already, or cannot be written.
        """
        self.items = 0
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = 0
        try:
            self._append([MAGIC])
            self._chunk(about, b"", [])
        except OSError:
            os.close(self._fd)
            raise

    def add(
        self,
        at: int,
        ids: List[IdRun],
        payloads: Sequence[bytes],
        slots: Sequence[Sequence[SlotPart]] = (),
        frames: Sequence[Any] = (),
    ) -> None:
        """One batch. When this returns it survives the end of this process.

        Raises:
            OSError: there is no room, say. The file is as it was before.
        """
        bulk = [part for item in slots for *_, part in item] + list(frames)
        crc = 0
        for part in bulk:
            crc = zlib.crc32(part, crc)
        named = [
            [(a, offset, generation, len(part)) for a, offset, generation, part in item] for item in slots
        ]
        sizes = list(map(len, payloads))
        self._chunk(Sent(at, ids, sizes, named, list(map(len, frames)), crc), b"".join(payloads), bulk)
        self.items += len(sizes)

    def close(self, failure: str = "") -> None:
        """Say that this was all, or why it was not, if there is room for that."""
        try:
            self._chunk(Over(self.items, failure), b"", [])
        except OSError:
            pass  # then it has no end, and who reads it knows
        finally:
            os.close(self._fd)

    def _chunk(self, head: Head, body: bytes, bulk: Sequence[Any]) -> None:
        self._append(lay(head, body, bulk, self._size))

    def _append(self, parts: List[Any]) -> None:
        try:
            for first in range(0, len(parts), MOST_PARTS):
                self._write(parts[first : first + MOST_PARTS])
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += sum(map(len, parts))

    def _write(self, parts: List[Any]) -> None:
        """All of them: the kernel takes 2 GiB at once, and less where the disk is nearly full."""
        left = os.writev(self._fd, parts)
        while parts:
            if left >= len(parts[0]):
                left -= len(parts.pop(0))
                continue
            parts[0] = memoryview(parts[0])[left:]
            left = os.writev(self._fd, parts)


# ------------------------------------------------------------------------------------------------- read


class Entry(NamedTuple):
    """One item where it lies; not decoded."""

    origin: str
    number: int
    at: int
    payload: memoryview
    chunk: _Chunk
    place: int
    """In the batch."""

    @property
    def id(self) -> str:
        """The item's."""
        return f"{self.origin}:{self.number}"

    @property
    def plain(self) -> bool:
        """Whether the payload is all of it."""
        sent = self.chunk.sent
        return not sent.frames and not (sent.slots and sent.slots[self.place])

    @property
    def nbytes(self) -> int:
        """Of payload, arrays and frames."""
        sent = self.chunk.sent
        slots = sum(size for *_, size in sent.slots[self.place]) if sent.slots else 0
        return len(self.payload) + slots + sum(sent.frames)

    def value(self, decoder: Decoder) -> Any:
        """What was sent. Large arrays in it lie in the file.

        Raises:
            PeerError: it was damaged, or is a pickle and the decoder opens none.
            EnvironmentFault: a library that it needs is missing here.
        """
        body = b"\x91" + self.payload
        return decoder.values(body, self.chunk.source(self.place), count=1)[0]


class Segment:
    """A file as far as it is whole, in the order in which it was written."""

    def __init__(self, path: str) -> None:
        """Read whose it is.

        Raises:
            PeerError: it is none, or one of another version.
            OSError: it cannot be read.
        """
        self.path = path
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            self.map: Any = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b""
        self.about: Optional[About] = None
        """None: its writer was killed while it began."""
        self.end: Optional[Over] = None
        """Known once it was read to its end."""
        self.damaged = False
        """Known then, too. (Who is killed while it writes leaves too little, and nothing wrong.)"""
        if self.map[: len(MAGIC)] != MAGIC[: len(self.map)]:
            raise PeerError(f"{path} is no part of a recording")
        first = next(self._heads(), None)
        if first is not None and isinstance(first.head, About):
            self.about = first.head
            if self.about.version != VERSION:
                raise PeerError(f"{path} has version {self.about.version}; this Penstock reads {VERSION}")

    def chunks(self) -> Iterator[_Chunk]:
        """The batches."""
        for found in self._heads():
            if isinstance(found.head, Sent):
                yield _Chunk(self.map, found.head, found.body, found.bulk)
            elif isinstance(found.head, Over):
                self.end = found.head

    def _heads(self) -> Iterator[Found]:
        at = len(MAGIC)
        view = memoryview(self.map)
        while (found := find(view, at)) is not None:
            yield found
            at = found.end
        self.damaged = end_of(view, at) <= len(view)


class _Chunk:
    """One batch in a segment."""

    def __init__(self, map: Any, sent: Sent, body: int, bulk: int) -> None:
        """``body``, ``bulk``: where they begin."""
        self.sent = sent
        self._map = map
        self._body = body
        self._bulk = bulk
        self._sound: Optional[bool] = None

    def entries(self) -> Iterator[Entry]:
        """Its items."""
        view, at, index = memoryview(self._map), self._body, 0
        for origin, first, count in self.sent.ids:
            for number in range(first, first + count):
                size = self.sent.sizes[index]
                yield Entry(origin, number, self.sent.at, view[at : at + size], self, index)
                at, index = at + size, index + 1

    def source(self, index: int) -> Source:
        """Where the large parts of an item are.

        Raises:
            PeerError: they were damaged.
        """
        if not self.sent.slots and not self.sent.frames:
            return Source(None, None)
        if self._sound is None:
            self._sound = self._check()
        if not self._sound:
            raise PeerError("its arrays were damaged: the checksum is another")
        slots, frames = self._places()
        return _Bulk(self._map, slots[index] if slots else {}, frames)

    def _check(self) -> bool:
        slots, frames = self._places()
        view, crc = memoryview(self._map), 0
        for part in [part for each in slots for part in each.values()]:
            crc = zlib.crc32(view[part[0] : part[0] + part[1]], crc)
        for frame in frames:
            crc = zlib.crc32(frame, crc)
        return crc == self.sent.crc

    def _places(self) -> Tuple[List[Places], List[memoryview]]:
        """Position and size of each item's slots, and the frames."""
        at = self._bulk
        slots: List[Places] = []
        for item in self.sent.slots:
            slots.append({})
            for arena, offset, generation, size in item:
                at += -at % ALIGNMENT
                slots[-1][arena, offset, generation] = at, size
                at += size
        frames, view = [], memoryview(self._map)
        for size in self.sent.frames:
            at += -at % ALIGNMENT
            frames.append(view[at : at + size])
            at += size
        return slots, frames


class _Bulk(Source):
    """The slots and frames of one item, as they lie in the mapped file."""

    def __init__(self, map: Any, slots: Places, frames: List[Any]) -> None:
        super().__init__(None, None)
        self._map = map
        self._slots = slots
        self.frames = frames

    def slot(self, where: arrays.Layout, offset: int, generation: int) -> Any:
        """A read-only view of what was in that slot."""
        return self._view(where, (0, offset, generation))

    def passed(self, where: arrays.Layout, place: Place) -> Any:
        """A read-only view of what was in a slot of another, and was passed on."""
        return self._view(where, name_of(place))

    def _view(self, where: arrays.Layout, name: SlotName) -> Any:
        at = self._place(name, arrays.size_of(where[0], where[2]))
        return arrays.view(where, self._map, at)

    def blob(self, size: int, offset: int, generation: int) -> bytes:
        """The bytes that were in that slot."""
        at = self._place((0, offset, generation), size)
        return bytes(memoryview(self._map)[at : at + size])

    def _place(self, name: SlotName, size: int) -> int:
        at, has = self._slots.get(name, (0, -1))
        if not 0 <= size <= has:
            raise PeerError(f"a slot of {size} bytes that was not recorded")
        return at
