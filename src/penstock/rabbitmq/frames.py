"""A message as the frames that publish it, and what the broker says of it. A decision module.

frame      type (1: method, 2: header, 3: body), channel, size; payload; 0xCE
publish    a method 60.40, its header with the properties, and as many bodies as it takes
answer     a method 60.80 (the broker has it) or 60.120 (not now); before it, of what no queue takes, a
           method 60.50 with its header and bodies
"""

from __future__ import annotations

import struct
from functools import lru_cache

from penstock.rabbitmq.message import Message

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
HEAD, END = 7, b"\xce"
RETURN, ACK, NACK = (60, 50), (60, 80), (60, 120)
LASTS = b"\x02"
SHORT = 255
"""Bytes of a text."""
LARGEST = 1 << 24
"""Bytes of a frame that comes."""

_head = struct.Struct(">BHI")
_header = struct.Struct(">HHQ")
_method = struct.Struct(">HH")
_tag = struct.Struct(">Q")


class Frame:
    """One that has come."""

    __slots__ = ("channel", "kind", "payload")

    def __init__(self, kind: int, channel: int, payload: bytes) -> None:
        self.kind, self.channel, self.payload = kind, channel, payload

    @property
    def method(self) -> tuple[int, int]:
        """Its class and its number; zeros where it is no method."""
        if self.kind != METHOD:
            return 0, 0
        found: tuple[int, int] = _method.unpack_from(self.payload)
        return found

    @property
    def tag(self) -> int:
        """Which message is answered: the first of a channel is 1."""
        return int(_tag.unpack_from(self.payload, _method.size)[0])


def first(data: bytes) -> tuple[Frame | None, bytes]:
    """The first frame of what has come, if it is whole, and the rest.

    Raises:
        ValueError: that is none.
    """
    if len(data) < HEAD:
        return None, data
    kind, channel, size = _head.unpack_from(data)
    end = HEAD + size
    if size > LARGEST:
        raise ValueError("a frame is too large")
    if len(data) <= end:
        return None, data
    if data[end : end + 1] != END:
        raise ValueError("a frame has no end")
    return Frame(kind, channel, data[HEAD:end]), data[end + 1 :]


def publish(channel: int, exchange: str, key: str, message: Message, user: str, most: int) -> bytes:
    """All of it. ``most``: bytes of a body's frame.

    Raises:
        ValueError, struct.error: a text is too long, or a header of no kind of AMQP's.
    """
    body = message.body
    header = _header.pack(60, 0, len(body)) + _properties(message, user)
    parts = [_publish(channel, exchange, key), _frame(HEADER, channel, header)]
    parts += [_frame(BODY, channel, body[at : at + most]) for at in range(0, len(body), most)]
    return b"".join(parts)


@lru_cache(maxsize=64)
def _publish(channel: int, exchange: str, key: str) -> bytes:
    """Whoever has no queue for it gives it back (``mandatory``): the first bit of the last byte."""
    said = b"\x00\x3c\x00\x28\x00\x00" + _text(exchange) + _text(key) + b"\x01"
    return _frame(METHOD, channel, said)


def _properties(message: Message, user: str) -> bytes:
    """A bit for each that there is, and then those, in that order. A message outlives the broker."""
    from pamqp import encode

    headers = encode.field_table(dict(message.headers)) if message.headers else b""
    said = (
        (0x8000, _short(message.content_type)),
        (0x2000, headers),
        (0x1000, LASTS),
        (0x0400, _short(message.correlation)),
        (0x0200, _short(message.reply_to)),
        (0x0100, _short(str(message.expires or ""))),
        (0x0080, _short(message.id)),
        (0x0020, _short(message.type)),
        (0x0010, _short(user)),
    )
    flags = sum(bit for bit, part in said if part)
    return flags.to_bytes(2, "big") + b"".join(part for _, part in said)


def _short(text: str) -> bytes:
    """As a property: nothing of an empty one."""
    return _text(text) if text else b""


def _text(text: str) -> bytes:
    """Its length and it."""
    encoded = text.encode()
    if len(encoded) > SHORT:
        raise ValueError(f"{text[:80]!r} is too long")
    return len(encoded).to_bytes(1, "big") + encoded


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return _head.pack(kind, channel, len(payload)) + payload + END
