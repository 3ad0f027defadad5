"""Topics: what is written before a published value, who wants it, and which were the last values.

    topic, 00                               then the value (``parcel``)
    topic, 01, publisher 8, number 8        ... of a publisher that keeps last values

A subscription is a prefix of such bytes, so ZeroMQ itself filters, at the publisher: ``weather.*`` is what
begins so, ``weather.paris`` is the topic and its end mark, and does not get ``weather.parish``. The number
tells a value that was already there from a new one: whoever joins late is sent the last values, and ZeroMQ
can send them only to all who want that topic. Decides, and knows no socket.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from penstock.errors import PeerError
from penstock.message.topics import LONGEST, asked, checked, written

PLAIN, KEPT = b"\x00", b"\x01"
"""End marks: the value follows; the publisher and its number come first."""
_STAMP = struct.Struct(">8sQ")


class Head(NamedTuple):
    """What comes before a published value."""

    topic: str
    stamp: tuple[bytes, int] | None
    """Publisher and number, where last values are kept."""
    size: int
    """Bytes of the head."""


def subscriptions(wanted: str) -> list[bytes]:
    """The prefixes that ZeroMQ is to let through for ``weather.paris``, ``weather.*`` or ``*``.

    Raises:
        UserError: it asks what cannot be asked.
    """
    checked(wanted)
    if wanted == "*":
        return [b""]
    if wanted.endswith("*"):
        return [written(wanted[:-1])]
    return [written(wanted) + PLAIN, written(wanted) + KEPT]


def stamped(topic: bytes, publisher: bytes, number: int) -> bytes:
    """The head of a value whose publisher keeps last ones."""
    return topic + KEPT + _STAMP.pack(publisher, number)


def read(frame: bytes) -> Head:
    """The head of a published frame.

    Raises:
        PeerError: it has none.
    """
    plain, kept = frame.find(PLAIN, 0, LONGEST + 1), frame.find(KEPT, 0, LONGEST + 1)
    end = min(at for at in (plain, kept, len(frame)) if at >= 0)
    if end == len(frame) or not end:
        raise PeerError("a published message without a topic")
    try:
        topic = frame[:end].decode()
    except UnicodeDecodeError:
        raise PeerError("a published message whose topic is no text") from None
    if end == plain:
        return Head(topic, None, end + 1)
    if len(frame) < end + 1 + _STAMP.size:
        raise PeerError("a published message whose number is cut off")
    return Head(topic, _STAMP.unpack_from(frame, end + 1), end + 1 + _STAMP.size)


class Latest:
    """A publisher's last values, by topic; the oldest goes when there are too many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._frames: OrderedDict[bytes, list[bytes]] = OrderedDict()
        self.forgotten = 0
        """Topics whose last value had to go."""

    def keep(self, topic: bytes, frames: list[bytes]) -> None:
        """``frames`` are the last of ``topic`` now."""
        self._frames[topic] = frames
        self._frames.move_to_end(topic)
        if len(self._frames) > self._most:
            self._frames.popitem(last=False)
            self.forgotten += 1

    def wanted(self, prefix: bytes) -> Iterator[list[bytes]]:
        """What somebody with that subscription has missed, in the order it was published."""
        return (frames for frames in list(self._frames.values()) if frames[0].startswith(prefix))


class Seen:
    """What a subscriber has had, so that last values sent for others are not had twice."""

    MOST = 100_000
    """Topics that are remembered; of one long gone, the last value may come again."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[tuple[str, bytes], int] = OrderedDict()

    def is_new(self, head: Head) -> bool:
        """Whether this value has not been here before; from now on it has."""
        if head.stamp is None:
            return True
        publisher, number = head.stamp
        key = (head.topic, publisher)
        if number <= self._numbers.get(key, -1):
            return False
        self._numbers[key] = number
        self._numbers.move_to_end(key)
        if len(self._numbers) > self.MOST:
            self._numbers.popitem(last=False)
        return True


def filters(topics: Iterable[str] | str) -> list[bytes]:
    """The prefixes of all that a subscriber asks for; of no topic at all, an error.

    Raises:
        UserError: there is none, or one that cannot be asked.
    """
    return [prefix for wanted in asked(topics) for prefix in subscriptions(wanted)]
