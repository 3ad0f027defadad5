"""What is said to the process that knows conda, and what it answers: one JSON document a line.

to it     one request; then its stdin stays open for as long as somebody waits for the answer
from it   Phase and Step, as many as there are; then one of the answers, or Failed
"""

from __future__ import annotations

from typing import Literal

import msgspec

from penstock.environments.channels import Channel
from penstock.environments.lock import CondaRecord


class Solve(msgspec.Struct, tag=True, frozen=True):
    """Which packages do what is asked for?"""

    platform: str
    channels: tuple[Channel, ...]
    specs: tuple[str, ...]
    kept: tuple[CondaRecord, ...]
    """What is taken rather than anything newer."""
    cache: str
    offline: bool


class Install(msgspec.Struct, tag=True, frozen=True):
    """Put these packages, and nothing else, into an empty prefix."""

    records: tuple[CondaRecord, ...]
    channels: tuple[Channel, ...]
    """Of the records; a record of another has its channel's address as its name."""
    prefix: str
    cache: str
    offline: bool


class Activate(msgspec.Struct, tag=True, frozen=True):
    """How does a shell activate this prefix?"""

    prefix: str


class ReadLock(msgspec.Struct, tag=True, frozen=True):
    """What a lock file of another tool has for a platform."""

    path: str
    platform: str
    environment: str
    """Of those in the file."""


class Locate(msgspec.Struct, tag=True, frozen=True):
    """At which address is each channel?"""

    channels: tuple[Channel, ...]


Request = Solve | Install | Activate | ReadLock | Locate


class Phase(msgspec.Struct, tag=True, frozen=True):
    """Something else begins."""

    name: str


class Step(msgspec.Struct, tag=True, frozen=True):
    """So many of so many are done."""

    done: int
    total: int
    what: str


class Solved(msgspec.Struct, tag=True, frozen=True):
    """These do."""

    records: list[CondaRecord]


class Installed(msgspec.Struct, tag=True, frozen=True):
    """They are there."""


class Script(msgspec.Struct, tag=True, frozen=True):
    """What a shell reads to activate the prefix."""

    text: str


class Pinned(msgspec.Struct, tag=True, frozen=True):
    """What another tool has locked."""

    records: list[CondaRecord]
    pip: str
    """Requirements as pip reads them, with hashes."""


class Located(msgspec.Struct, tag=True, frozen=True):
    """The addresses, in the order asked for."""

    urls: list[str]


Kind = Literal["missing", "spec", "bad", "unsatisfiable", "uncached", "refused", "said"]
"""No rattler; a spec that is none; a file that is none or has it not; no such packages; not in the cache, and
offline; what we refuse, in our words; all else, in rattler's."""


class Failed(msgspec.Struct, tag=True, frozen=True):
    """It could not be done."""

    kind: Kind
    message: str
    index: int = -1
    """Of the spec that is meant, if one is."""


Answer = Solved | Installed | Script | Pinned | Located | Failed
Word = Phase | Step | Answer
