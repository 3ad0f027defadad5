"""What happened in a run, as typed values: made by the supervisor, read by the console, the log and the CLI.

An event's name is derived from its class (``WorkerDied`` is ``worker_died``), so the two cannot drift
apart. Events carry no time: who writes one down stamps it.
"""

from __future__ import annotations

import re

import msgspec


def _name(kind: str) -> str:
    """``WorkerDied`` -> ``worker_died``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=_name):
    """The root of all events."""

    def document(self) -> dict[str, object]:
        """The event as plain data, with its name under ``event``."""
        found: dict[str, object] = msgspec.to_builtins(self)
        return found


class WorkerEvent(Event, frozen=True, kw_only=True):
    """Something about one worker."""

    stage: str
    replica: int
    number: int
    """Unique in the run: a restarted replica has a new one."""

    @property
    def label(self) -> str:
        """``detect/0``: how people name it."""
        return f"{self.stage}/{self.replica}"


# The run.


class RunBegan(Event, frozen=True, kw_only=True):
    """The run directory stands; workers are about to be started."""

    run: str
    pipeline: str
    pid: int
    stages: dict[str, int]
    """Replicas asked for, by stage, upstream first."""


class Swept(Event, frozen=True, kw_only=True):
    """What a dead run had left was taken away."""

    run: str
    processes: int
    """How many processes of it were still alive."""


class SharedMemoryLow(Event, frozen=True, kw_only=True):
    """There is little room for arrays; what finds none goes by socket, slower."""

    path: str
    free: int
    """Bytes."""


class LettersStranded(Event, frozen=True, kw_only=True):
    """Dead letters that were put back to a link that this run does not have: they are dead letters again."""

    link: str
    count: int


class DrainBegan(Event, frozen=True, kw_only=True):
    """Nothing new is made; what is in flight is finished."""


class ScriptAwaited(Event, frozen=True, kw_only=True):
    """The run drains, and only a script that attaches can do what waits for this stage."""

    stage: str
    items: int
    patience: float
    """Seconds for which nothing may move before the run is given up."""


class HostJoined(Event, frozen=True, kw_only=True):
    """Another host takes part: workers may be started there."""

    host: str
    cores: int
    labels: list[str] = []


class HostUnfit(Event, frozen=True, kw_only=True):
    """A host wanted to take part and cannot."""

    host: str
    cause: str


class HostMisspoke(Event, frozen=True, kw_only=True):
    """Who may join has said what no host says; told of the 1st, 2nd, 4th, 8th ... such message."""

    count: int
    """So far."""
    cause: str


class HostAwaited(Event, frozen=True, kw_only=True):
    """No host is there for a stage; its workers are started when one has joined."""

    stage: str
    label: str


class HostLeaves(Event, frozen=True, kw_only=True):
    """Its workers drain; then it goes."""

    host: str


class HostLeft(Event, frozen=True, kw_only=True):
    """Nobody is left there, and it has gone."""

    host: str


class HostLost(Event, frozen=True, kw_only=True):
    """A host is gone with its workers; what they held goes to others."""

    host: str
    cause: str


class StopBegan(Event, frozen=True, kw_only=True):
    """Each worker ends after its current item; who has not after ``grace`` seconds is killed."""

    grace: float


class KillBegan(Event, frozen=True, kw_only=True):
    """All workers are killed."""


class RunFailed(Event, frozen=True, kw_only=True):
    """A stage could not be kept running: the pipeline is being stopped."""

    cause: str
    """One sentence for the user."""
    traceback: str = ""


class RunEnded(Event, frozen=True, kw_only=True):
    """No worker is left."""

    failed: bool
    cut_short: bool


# A stage.


class StageScaled(Event, frozen=True, kw_only=True):
    """Another number of replicas was asked for."""

    stage: str
    before: int
    after: int


class VersionDeployed(Event, frozen=True, kw_only=True):
    """Another version of a service gets a part of its calls."""

    stage: str
    """The version: a stage of its own."""
    service: str
    share: float
    """The part, from 0 to 1."""
    replicas: int


class VersionShared(Event, frozen=True, kw_only=True):
    """It gets another part of them."""

    stage: str
    service: str
    share: float


class VersionRetired(Event, frozen=True, kw_only=True):
    """A version gets no more calls, and its workers end."""

    stage: str
    service: str
    kept: str
    """The version that gets all of them."""
    cause: str = ""
    """Why it cannot run; empty: somebody has decided so."""


class StagePaused(Event, frozen=True, kw_only=True):
    """Its workers begin nothing more until it is resumed."""

    stage: str


class StageResumed(Event, frozen=True, kw_only=True):
    """Its workers go on: somebody has asked for it, or the pipeline drains."""

    stage: str


class StageDrained(Event, frozen=True, kw_only=True):
    """The stage was told to finish what it holds: nothing can come to it any more."""

    stage: str


# A worker.


class WorkerStarted(WorkerEvent, frozen=True, kw_only=True):
    """Its process was made."""

    pid: int
    host: str = ""
    """On which host; empty: the first."""


class GuestAttached(WorkerEvent, frozen=True, kw_only=True):
    """A process that we have not started works here from now on."""

    pid: int


class WorkerReady(WorkerEvent, frozen=True, kw_only=True):
    """Its code is loaded and ``setup`` is done."""

    took: float
    """Seconds since its process was made."""


class WorkerFailed(WorkerEvent, frozen=True, kw_only=True):
    """Its code could not be loaded, or ``setup`` or the source raised."""

    error: str
    traceback: str


class WorkerDied(WorkerEvent, frozen=True, kw_only=True):
    """It ended without having finished. What it held is delivered to others."""

    cause: str
    restart_after: float | None
    """Seconds until it is started again; ``None``: it is not."""
    details: str = ""
    """Lines that tell more than the cause: the user's traceback, or the last of its log."""


class WorkerEnded(WorkerEvent, frozen=True, kw_only=True):
    """It finished, or stopped when told."""


class WorkerRenewed(WorkerEvent, frozen=True, kw_only=True):
    """It was to be restarted: it has ended, and its successor is ready."""

    successor: int
    """The number of the new worker."""


class RenewalAbandoned(WorkerEvent, frozen=True, kw_only=True):
    """It was to be restarted, and is not."""

    cause: str


class SourceRepeats(WorkerEvent, frozen=True, kw_only=True):
    """A source that died or was restarted begins anew: its items come again, under new ids."""


class ItemProgressed(WorkerEvent, frozen=True, kw_only=True):
    """User code has said how far the work on an item is. Of all it says, once a second, and the last."""

    item: str
    """Its id; the worker's label where it is no item."""
    part: float
    """From 0 to 1."""
    numbers: dict[str, float] = msgspec.field(default_factory=dict)


class Noticed(WorkerEvent, frozen=True, kw_only=True):
    """A worker has something to say that people want to see."""

    kind: str
    """``failure``, ``dead``, ``dropped``, ``pool``, ``kept``, ``refused``, ``warning``."""
    text: str
    fields: dict[str, str | int | float] = msgspec.field(default_factory=dict)
