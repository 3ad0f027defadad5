"""The envelopes of the link protocol: what a frame says before anything is built from it.

Between the ROUTER of a sender and the DEALER of a receiver a message is nearly always one frame:

    frame 0                                           frame 1..
    +----------------+-----------+---------------+   +------------------------------+
    | length of the  | envelope  | body          |   | large arrays that found no   |
    | envelope, u32  | msgpack   | (BATCH only)  |   | room in shared memory, raw   |
    +----------------+-----------+---------------+   +------------------------------+

(Two frames, for envelope and body, cost 3 us more on an idle link, where a message takes some 40.)
The envelope is a msgpack array whose first element is the kind:

    receiver -> sender                                  sender -> receiver
    HELLO    version, worker, link, host,               WELCOME  version, sender, arena
             window, bytes, batch, replica,
             packings
    CREDIT   batch, busy, settled, failures,            BATCH    batch, attempt, ids, count, expires, slots
             releases, stale
    SETTLE   batches                                    END      sent, settled, dead
    RELEASE  slots, passed                              DRY
    BYE                                                 PASSED   batch, ids
    FAULT    batch, failures

The body of a BATCH is one msgpack array of ``count`` values (see ``codec``). Plain msgpack that msgspec
0.18.6 reads on Python 3.9: a stage's interpreter may be older than the supervisor's.
"""

from __future__ import annotations

import re
import struct
from typing import Any, List, Optional, Sequence, Tuple, Union

import msgspec

from penstock.errors import PeerError

VERSION = 1
"""Of the link protocol. HELLO and WELCOME carry it; a peer of another version is refused by name."""

MAX_ENVELOPE = 64 * 1024 * 1024
"""The longest envelope that is looked at, in bytes. One with thousands of failures in it fits well."""

MOST_ITEMS = 1 << 16
"""Of one batch. A receiver that cannot read it reports every one of them."""

IdRun = Tuple[str, int, int]
"""``(origin, first, count)``: the ids ``origin:first`` .. ``origin:first+count-1``."""

SlotRef = Tuple[int, int]
"""``(offset, generation)`` of a slot in the sender's arena."""


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """One item of a batch that user code did not finish."""

    index: int
    error: str
    """One line: type and message. Of a ``shared`` failure one item has it, and the others nothing."""
    traceback: str = ""
    reject: bool = False
    """True: to the dead letters at once."""
    after: Optional[float] = None
    """Seconds until the next delivery, where user code asked; None: the usual back-off."""
    unread: bool = False
    """True: it could not be decoded, so no view of its slots exists and none will be released."""
    shared: bool = False
    """True: it was one of several items of a call that failed, and nobody knows yet which was bad."""
    unbegun: bool = False
    """True: no failure at all. Whoever had it leaves without having tried, and it goes to somebody else."""


class Hello(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """A receiver introduces itself and says how much it takes."""

    version: int
    worker: int
    """The receiver's number in the run."""
    link: int
    host: str
    window: int
    """Items it holds unfinished at most; 0: the sender may choose by what they cost."""
    window_bytes: int
    batch: int = 0
    """Items it may give to user code in one call; 0: one. It may have two such batches in any case, so that
    one gathers while another is worked on."""
    replica: int = 0
    """Which of its stage it is, from 0: a key belongs to one of them."""
    packings: List[str] = []
    """To a sender of another host that has asked: how frames may be packed for it."""


class Credit(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """A batch is finished here: its room is free again. ``settled`` when nothing was made from it."""

    batch: int
    busy: int
    """ns of user code it cost."""
    settled: bool
    failures: List[Failure]
    releases: List[SlotRef]
    stale: int = 0
    """Items that were too old to be begun."""


class Settle(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """All that was made from these batches has been settled downstream."""

    batches: List[int]


class Release(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """No view of these slots is alive here any more."""

    slots: List[SlotRef]
    passed: List[SlotRef] = []
    """The same, of slots that were passed on: others may have views of them."""


class Bye(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """Send me nothing more; what I hold I will finish and settle."""


class Welcome(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """The sender's answer to HELLO. ``arena``: the path of its shared memory, or empty."""

    version: int
    sender: int
    arena: str


_BATCH = 7


class Batch(msgspec.Struct, array_like=True, frozen=True, tag=_BATCH):
    """Work. ``attempt`` is of every item in it: items delivered again travel alone."""

    batch: int
    attempt: int
    ids: List[IdRun]
    count: int
    expires: int = 0
    """From when on an item of it is not to be begun: ns on the monotonic clock of the host; 0: never. Between
    hosts, whose clocks differ: ns from its arrival on."""
    slots: List[Tuple[int, int, int]] = []
    """Between hosts: what each of the last frames is, by arena, offset and generation (see ``freight``)."""


class End(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """The sender is done, and these are its totals on this link."""

    sent: int
    settled: int
    dead: int


class Dry(msgspec.Struct, array_like=True, frozen=True, tag=9):
    """All that I had for anybody is finished, and nothing more comes, unless something is to be done again.
    Who waits for more need not: what is kept here is all that I still wait for."""


class Passed(msgspec.Struct, array_like=True, frozen=True, tag=10):
    """These ids will never arrive by this link. Settled like a batch, and wants no room."""

    batch: int
    """Below zero."""
    ids: List[IdRun]
    """A count of 0 means: all from the first on."""


class Fault(msgspec.Struct, array_like=True, frozen=True, tag=11):
    """Items of a batch that was finished, but held back for their turn, have failed after all."""

    batch: int
    failures: List[Failure]


FromReceiver = Union[Hello, Credit, Settle, Release, Bye, Fault]
FromSender = Union[Welcome, Batch, End, Dry, Passed]

ORIGIN = re.compile(r"(\d+~)?[\w.-]+/\d+(\+\d+)?(~[\w.-]+)?(:[\w.-]+)?(:\d+)*")
"""What the first part of an id looks like."""

_encode = msgspec.msgpack.Encoder().encode
_LENGTH = struct.Struct("<I")
_from_receiver = msgspec.msgpack.Decoder(FromReceiver)
_from_sender = msgspec.msgpack.Decoder(FromSender)


def identity(worker: int, link: int) -> bytes:
    """What the DEALER of a receiver calls itself: who says HELLO must have come by that name."""
    return f"{worker}.{link}".encode()


def pack(message: Union[FromReceiver, FromSender]) -> bytes:
    """A message without a body, as its frame."""
    data = _encode(message)
    return _LENGTH.pack(len(data)) + data


def pack_batch(
    number: int,
    attempt: int,
    ids: List[IdRun],
    payloads: List[bytes],
    expires: int = 0,
    slots: Sequence[Tuple[int, int, int]] = (),
) -> bytes:
    """A BATCH as its first frame: the envelope, and one msgpack array of values that are encoded already.
    (Written as what its struct would become: to make one only to write it took as long as the writing.)"""
    count = len(payloads)
    data = _encode((_BATCH, number, attempt, ids, count, expires, slots))
    return b"".join((_LENGTH.pack(len(data)), data, array_head(count), *payloads))


def pack_lone(number: int, origin: str, first: int, payload: bytes) -> bytes:
    """``pack_batch`` of one item at its first attempt."""
    data = _encode((_BATCH, number, 1, ((origin, first, 1),), 1))
    return _LENGTH.pack(len(data)) + data + b"\x91" + payload


def array_head(count: int) -> bytes:
    """How a msgpack array of ``count`` values begins."""
    if count < 16:
        return bytes((0x90 | count,))
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")


def from_receiver(frame: Any) -> FromReceiver:
    """Read a frame that came to a sender.

    Raises:
        PeerError: it is none of this protocol, or too long.
    """
    return _decode(_from_receiver, frame)[0]  # type: ignore[no-any-return]


def from_sender(frame: Any) -> Tuple[FromSender, memoryview]:
    """Read a frame that came to a receiver: the message, and the body of a batch.

    Raises:
        PeerError: it is none of this protocol, or too long, or its ids do not add up to its count.
    """
    message: FromSender
    message, body = _decode(_from_sender, frame)
    if type(message) is Batch:
        total = 0
        for _, _, count in message.ids:
            if count < 1:
                raise PeerError(f"batch {message.batch} has a run of {count} ids")
            total += count
        if total > MOST_ITEMS:
            raise PeerError(f"batch {message.batch} has {total} items; the limit is {MOST_ITEMS}")
        if total != message.count:
            raise PeerError(f"batch {message.batch} says {message.count} items and has ids for {total}")
    elif type(message) is Passed:
        _check_passed(message)
    return message, body


def _check_passed(message: Passed) -> None:
    """Refuse ids that could be none.

    Raises:
        PeerError: these.
    """
    if message.batch >= 0:
        raise PeerError(f"passed ids in a batch {message.batch}")
    for origin, first, count in message.ids:
        if first < 0 or count < 0 or not ORIGIN.fullmatch(origin):
            raise PeerError(f"passed ids {origin[:100]!r}, {first}, {count}")


def _decode(decoder: Any, frame: Any) -> Tuple[Any, memoryview]:
    view = memoryview(frame)
    size = _LENGTH.unpack_from(view)[0] if len(view) >= _LENGTH.size else 0
    end = _LENGTH.size + size
    if not 0 < size <= min(MAX_ENVELOPE, len(view) - _LENGTH.size):
        raise PeerError(
            f"a frame of {len(view)} bytes that says its envelope has {size} (at most {MAX_ENVELOPE})"
        )
    try:
        return decoder.decode(view[_LENGTH.size : end]), view[end:]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError(f"not an envelope of this protocol: {error}") from None
