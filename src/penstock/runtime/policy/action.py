"""What ``policy`` answers: what is to be done now, as frozen values, in this order."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Union

from penstock.observe.events import Event
from penstock.runtime.control import Blame
from penstock.runtime.policy.roster import Goal


class Spawn(NamedTuple):
    """Start a process for this worker, and give it its assignment."""

    number: int
    stage: str
    replica: int
    replicas: int
    host: str = ""
    """Where; empty: here."""


class Admit(NamedTuple):
    """Give a guest the assignment of this worker."""

    number: int
    stage: str
    replica: int
    replicas: int
    guest: int


class Refuse(NamedTuple):
    """Tell a guest who waits that there will be no seat."""

    guest: int
    cause: str


class Introduce(NamedTuple):
    """Tell ``receiver`` to take work from ``sender``."""

    link: int
    sender: int
    receiver: int


class Announce(NamedTuple):
    """Tell worker ``to`` that its peer ``gone`` has ended."""

    to: int
    gone: int
    label: str
    cause: str
    """Empty: it finished."""
    blame: Blame | None
    """Set where the item in hand was sent by ``to``."""


class Tell(NamedTuple):
    """Tell a worker to drain or to stop."""

    number: int
    goal: Goal


class Pause(NamedTuple):
    """Tell a worker to begin nothing more, or to go on."""

    number: int
    paused: bool


class Kill(NamedTuple):
    """Kill its process group."""

    number: int


class Look(NamedTuple):
    """Read from its page since when it has been at its item; answer with ``stimulus.Looked``."""

    number: int


class Count(NamedTuple):
    """Count what waits for these stages; answer with ``stimulus.Counted``."""

    stages: tuple[str, ...]


class Remains(Enum):
    """What becomes of the items a worker had sent and that were not settled when it ended."""

    NONE = "none"
    """It finished: there can be none. If the page says otherwise they are lost."""
    GIVEN_BACK = "given back"
    """Those who own what they were made from deliver that again."""
    UNFINISHED = "unfinished"
    """It was a source, or told to stop: nobody delivers them again in this run."""


class Retire(NamedTuple):
    """Keep a dead worker's last counts for the ledger and remove its files."""

    number: int
    remains: Remains


class Report(NamedTuple):
    """Let the listeners know."""

    event: Event


class Release(NamedTuple):
    """Let a host go: nobody is left there."""

    host: str
    unfit: str = ""
    """Why it was sent away; empty: it wanted to go."""


class End(NamedTuple):
    """No worker is left and none will come: the run is over."""


Action = Union[
    Spawn, Admit, Refuse, Introduce, Announce, Tell, Pause, Kill, Look, Count, Retire, Report, Release, End
]  # fmt: skip
