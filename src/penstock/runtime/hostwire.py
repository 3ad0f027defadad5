"""The words that pass between a supervisor and the agents of other hosts (known to both processes).

An agent's DEALER speaks to the supervisor's ROUTER by tcp and CURVE. Each message is one frame, a letter:

    +-------+--------+------+-------+-------+---------------------------+
    | token | number | sent | heard | again | msgpack of one tagged     |     an array of msgpack
    |       |        |      |       |       | struct; empty: a beat     |
    +-------+--------+------+-------+-------+---------------------------+

``token`` says which stay of an agent it belongs to: a secret that the agent makes up when it joins. The
numbers are for ``conduit``: what a cut connection has lost is sent again.

What a worker and its supervisor say to each other (``control``) passes through unread, as bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from penstock.errors import PeerError
from penstock.pipeline.plan import Plan

VERSION = 2
"""Changes when either side would misread the other; compared when an agent joins."""
LIMIT = 32 * 2**20
"""Bytes of one frame at most: a control message has up to 16 MiB."""
PART = 1 << 17
"""Bytes of a file in one message."""
TOKEN = 32
"""Characters of a token: 128 bits in hex."""
STAYS = 4096
"""Labels, stages and the like in one message, at most."""


class Letter(msgspec.Struct, frozen=True, array_like=True):
    """One frame."""

    token: str
    number: int
    """Of this message, from 1; 0: a beat, which has no body."""
    sent: int
    """How many the sender of this has numbered so far."""
    heard: int
    """How many of the other's it has heard without a gap."""
    again: bool = False
    """Please send what comes behind ``heard`` again."""
    body: bytes = b""


class Manifest(msgspec.Struct, frozen=True):
    """The app's code: trees of files, by what is in them."""

    files: dict[str, str]
    """SHA-256 in hex, by path: ``0/app.py`` is ``app.py`` of the first tree."""
    sizes: dict[str, int]
    """Bytes, by path."""


# Agent -> supervisor ---------------------------------------------------------------------------------------


class Join(msgspec.Struct, frozen=True, tag="join"):
    """May I take part? The first word of a stay."""

    version: int
    penstock: str
    name: str
    cores: int
    labels: list[str] = []
    brings: dict[str, int] = {}
    """Replicas that stages have more while I am here."""
    before: str = ""
    """My token when I was here last: that stay is over."""
    address: str = ""
    """Where workers of other hosts reach mine."""
    found: str = ""
    """What leads to that, where they do not reach it: a relay; empty: they do."""
    reach: str = ""
    """The host by whose name I reached you."""
    ports: str = ""
    """Those at which my workers listen, ``7810-7819`` say; empty: any."""
    machine: str = ""
    """Who has the same has the same loopback."""


class Want(msgspec.Struct, frozen=True, tag="want"):
    """Send me that file from byte ``at`` on."""

    path: str
    at: int


class Offer(msgspec.Struct, frozen=True, tag="offer"):
    """Code and environments are ready: start workers here."""

    run_dir: str
    state_dir: str
    trees: list[str]
    """Where each tree of the manifest is."""
    shm: int
    """Bytes of shared memory that workers may use together."""


class Unfit(msgspec.Struct, frozen=True, tag="unfit"):
    """I cannot take part after all."""

    cause: str


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The process of a worker was made."""

    number: int
    pid: int


class Spoke(msgspec.Struct, frozen=True, tag="spoke"):
    """A worker has said so: bytes of ``control``, cut anywhere."""

    number: int
    data: bytes


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """What has changed on a worker's status page."""

    number: int
    at: int
    """CLOCK_MONOTONIC ns here, as the page was read."""
    words: dict[int, int]
    cpu: float = 0.0
    """Seconds of CPU so far."""
    rss: int = 0


class Tallied(msgspec.Struct, frozen=True, tag="tallied"):
    """What has changed of what a worker has published: rows of its tally."""

    number: int
    at: int
    """CLOCK_MONOTONIC ns here, as it was read."""
    rows: list[tuple[str, str, list[int]]]
    """Subscriber (empty: the row is the topic's own), topic, and all its words."""


class Logged(msgspec.Struct, frozen=True, tag="logged"):
    """A worker has printed that."""

    number: int
    data: bytes


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The process of a worker has ended. All else about it was said before."""

    number: int
    exit: int
    """Negative: the signal that killed it."""
    oom: bool = False
    stillborn: str = ""
    """Why no process could be made."""


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """I want to go: tell my workers to drain, then say ``Over``."""


class Left(msgspec.Struct, frozen=True, tag="left"):
    """I go now, and have killed who was here."""

    cause: str


# Either way: files (see ``hosts.haul``) --------------------------------------------------------------------


class Have(msgspec.Struct, frozen=True, tag="have"):
    """There is a file for you; I keep it until you have ``Got`` it."""

    path: str
    """``dead/...letter`` say: what it is, and what it is called."""


class Give(msgspec.Struct, frozen=True, tag="give"):
    """Send me what that file holds from byte ``at`` on."""

    path: str
    at: int


class Load(msgspec.Struct, frozen=True, tag="load"):
    """That."""

    path: str
    at: int
    size: int
    """Bytes of the whole file; negative: there is none."""
    data: bytes


class Got(msgspec.Struct, frozen=True, tag="got"):
    """You need not keep it any more: it is on my disk. Of an item that was put back: it is over."""

    path: str


# Supervisor -> agent ---------------------------------------------------------------------------------------


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """You may; this is what runs here."""

    version: int
    run: str
    pipeline: str
    name: str
    """How you are called from now on."""
    timeout: float
    """Seconds of silence after which each of us takes the other for lost."""
    plan: bytes
    """msgpack of the plan; its secrets are references still."""
    manifest: Manifest
    app: str = ""
    """The path of the app's file in the first tree."""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """You may not, and need not ask again."""

    cause: str


class Part(msgspec.Struct, frozen=True, tag="part"):
    """What you wanted of a file; less than was left of it only where it has become shorter."""

    path: str
    at: int
    data: bytes


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Start a process for this worker. What I say to it follows."""

    number: int
    stage: str
    replica: int
    variables: dict[str, str] = {}
    """Secrets of its environment."""


class Speak(msgspec.Struct, frozen=True, tag="speak"):
    """Say so to a worker: bytes of ``control``."""

    number: int
    data: bytes


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """Kill it and all it has started; ``Ended`` is awaited."""

    number: int


class Over(msgspec.Struct, frozen=True, tag="over"):
    """Nobody is needed here any more: kill who is left, clean up."""

    cause: str
    unfit: bool = False
    """The run goes on without this host, which cannot do what it should."""


class Dismissed(msgspec.Struct, frozen=True, tag="dismissed"):
    """You were taken for lost, and your items are with others: kill what you have, and join anew."""


Haul = Have | Give | Load | Got


class Calling(msgspec.Struct, frozen=True, tag="calling"):
    """A process here calls services, or does so no more."""

    caller: int
    calls: bool


class Listing(msgspec.Struct, frozen=True, tag="listing"):
    """Supervisor -> agent: which replicas of services there are, as processes there find them."""

    line: bytes
    """JSON, for those who ask at ``calls.sock``."""


Told = Started | Spoke | Counted | Tallied | Logged | Ended
"""Of one worker."""
FromAgent = Join | Want | Offer | Unfit | Told | Calling | Leave | Left | Haul
ToAgent = Welcome | Refused | Part | Start | Speak | Kill | Over | Dismissed | Listing | Haul

_encode = msgspec.msgpack.Encoder().encode
_letter = msgspec.msgpack.Decoder(Letter).decode


def packed(message: msgspec.Struct) -> bytes:
    """A message as the body of a letter."""
    return _encode(message)


def sealed(letter: Letter) -> bytes:
    """A letter as a frame."""
    return _encode(letter)


def opened(frame: Any) -> Letter:
    """The letter that a frame is.

    Raises:
        PeerError: it is none.
    """
    try:
        found = _letter(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError(f"what came is no letter: {error}") from None
    if len(found.token) != TOKEN or min(found.number, found.sent, found.heard) < 0:
        raise PeerError("what came is no letter: its token or its numbers cannot be")
    return found


def plan_of(welcome: Welcome) -> Plan:
    """The plan of the run.

    Raises:
        PeerError: it is none.
    """
    try:
        return msgspec.msgpack.decode(welcome.plan, type=Plan)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError(f"the run's plan cannot be read here: {error}") from None


class Reader:
    """Of bodies, for one of the two sides."""

    def __init__(self, words: Any) -> None:
        """``words``: ``FromAgent`` or ``ToAgent``."""
        self._decode = msgspec.msgpack.Decoder(words).decode

    def read(self, body: bytes) -> Any:
        """The message.

        Raises:
            PeerError: it is none of these.
        """
        try:
            return self._decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise PeerError(f"what came is no word of hosts: {error}") from None
