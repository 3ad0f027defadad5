"""One value as frames, and back. What fits in one frame, and that is nearly all, takes one.

    head, body                              a value
    head | body | frame | frame ...         ... with large arrays, each in a frame of its own
    head | ""   | bytes                     bytes of 64 KiB and more, as they are
    head | ""   | ""    | kind, text        what a handler has raised, in place of its reply

``|`` is between frames. The head is a topic (``topics``) or nothing. A body is never empty, so a first frame
that is only a head says that there are more, and nobody has to ask ZeroMQ whether there are: that costs as
much as to receive. The body is the codec's (``message.codec``): no pickle, and nothing imported because a
message says so.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Sequence, Union, cast

import msgspec

from penstock.errors import EnvironmentFault, PeerError
from penstock.message.arrays import LARGE
from penstock.message.codec import BLOB, PASSED, SLOT, Decoder, Encoder
from penstock.message.shape import builder
from penstock.message.source import Source

if TYPE_CHECKING:
    from penstock.message.arena import Arena

MOST_FRAMES = 4096
"""Frames of one message; a value with more large arrays in it is refused at either side."""

QUICK = frozenset((int, float, str, bool, type(None)))
"""Values of these very types are what ``pack`` makes of them, if it can, and so are short bytes."""

Parcel = Union[bytes, List[bytes]]
"""What is sent: one frame, or several."""


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """What a handler has raised, told to whoever asked."""

    kind: str
    text: str


pack = msgspec.msgpack.Encoder().encode
_BIN = struct.Struct(">BH")
"""What MessagePack writes before bytes, up to 64 KiB of them."""
COPIED = 4096
"""Bytes from which on it takes longer to copy them once more than not to."""
_failures = msgspec.msgpack.Decoder(Failure)


class _NoRoom:
    """In place of an arena: large arrays are to travel in frames."""

    def take(self, size: int) -> None:
        """There is never room."""


class Packer(Encoder):
    """Makes parcels of values."""

    def __init__(self) -> None:
        super().__init__(cast("Arena", _NoRoom()))
        self.way_out = ""

    def packed(self, value: Any, head: bytes = b"") -> Parcel:
        """A value's frames. What they hold is copied, but for bytes, which nobody can change.

        Raises:
            UnsupportedType: a part of it does not travel; the message says which and what to do.
        """
        if type(value) is bytes:
            if len(value) >= LARGE:
                return [head, b"", value]
            if head and len(value) > COPIED:
                return b"".join((head, _BIN.pack(0xC5, len(value)), value))
            return head + pack(value) if head else pack(value)
        body = self.flat.encode(value)
        if body is None:
            body = self.deep(value)
            if self.frames:
                return [head, body, *self.taken()[1]]
        return head + body if head else body


def failed(error: BaseException) -> Parcel:
    """The parcel that tells of an error."""
    text = str(error).encode(errors="replace").decode()
    return [b"", b"", b"", pack(Failure(type(error).__name__, text[:10_000]))]


class Opener(Decoder):
    """Makes values of frames."""

    def __init__(self, of: Any = None) -> None:
        """``of``: what is to be built of each value, as an annotation says it.

        Raises:
            WiringError: no value could be built for it.
        """
        super().__init__()
        self.quick = self._unpack
        """``value``, but what it raises is not told: for who asks again then."""
        self._build: Optional[Callable[[Any], Any]] = None if of is None else builder(of)
        if self._build is not None:
            self.quick = self.value

    def _raise(self, code: int, data: memoryview) -> Any:
        """As the codec, but for what says where in this machine's memory something lies: whoever is at the
        other end has none of it to offer, and would have us open a file of their choice."""
        if code in {SLOT, PASSED, BLOB}:
            raise PeerError("a value in shared memory, which cannot be meant here")
        return super()._raise(code, data)

    def value(self, body: Any) -> Any:
        """The value of a body that came alone.

        Raises:
            PeerError: it is none, or not what it is to be.
            EnvironmentFault: a library that it needs is missing here.
        """
        try:
            value = self._unpack(body)
            return value if self._build is None else self._build(value)
        except (PeerError, EnvironmentFault):
            raise
        except Exception as error:  # noqa: BLE001  what hostile bytes make of all these types is not bounded
            raise PeerError(f"not a value that can be read here: {error}") from None

    def opened(self, frames: Sequence[Any]) -> Any:
        """The value of the frames behind a first one that was only a head; a ``Failure`` as such.

        Raises:
            PeerError: they are none, or not what it is to be.
            EnvironmentFault: as ``value``.
        """
        if not frames or len(frames) > MOST_FRAMES:
            raise PeerError(f"a message of {len(frames) + 1} frames")
        if len(frames[0]):
            return self._with_arrays(frames[0], frames[1:])
        if len(frames) == 2:
            return self._built(bytes(frames[1]))
        if len(frames) == 3 and not len(frames[1]):
            return _failure(frames[2])
        raise PeerError(f"a message of {len(frames) + 1} frames, the second empty")

    def _with_arrays(self, body: Any, frames: Sequence[Any]) -> Any:
        source = Source(None, None)
        source.frames = list(frames)
        self._source, before = source, self._source
        try:
            return self.value(body)
        finally:
            self._source = before

    def _built(self, value: bytes) -> Any:
        try:
            return value if self._build is None else self._build(value)
        except Exception as error:  # noqa: BLE001  as ``value``
            raise PeerError(f"not a value that can be read here: {error}") from None


def _failure(body: Any) -> Failure:
    try:
        return _failures.decode(body)
    except ValueError as error:  # no text in UTF-8 is one, too
        raise PeerError(f"not the words of a failure: {error}") from None
