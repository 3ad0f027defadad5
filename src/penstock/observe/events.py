"""What happened in a run, as typed values: made by the supervisor, read by the console, the log and the CLI.

An event's name is derived from its class (``WorkerDied`` is ``worker_died``), so the two cannot drift
apart. Events carry no time: who writes one down stamps it.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root of all events."""

    @classmethod
    def name(cls) -> str:
        """``WorkerDied`` -> ``worker_died``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def document(self) -> dict[str, object]:
        """The event as plain data, its name first."""
        return {"event": self.name(), **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEvent(Event):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegan(Event):
    """The run directory stands; workers are about to be started."""

    run: str
    pipeline: str
    pid: int
    stages: dict[str, int]
    """Replicas asked for, by stage, upstream first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept(Event):
    """What a dead run had left was taken away."""

    run: str
    processes: int
    """How many processes of it were still alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedMemoryLow(Event):
    """There is little room for arrays; what finds none goes by socket, slower."""

    path: str
    free: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainBegan(Event):
    """Nothing new is made; what is in flight is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopBegan(Event):
    """Each worker ends after its current item; who has not after ``grace`` seconds is killed."""

    grace: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KillBegan(Event):
    """All workers are killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed(Event):
    """A stage could not be kept running: the pipeline is being stopped."""

    cause: str
    """One sentence for the user."""
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """No worker is left."""

    failed: bool
    cut_short: bool


# A stage.


@dataclass(frozen=True, slots=True, kw_only=True)
class StageScaled(Event):
    """Another number of replicas was asked for."""

    stage: str
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDrained(Event):
    """The stage was told to finish what it holds: nothing can come to it any more."""

    stage: str


# A worker.


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStarted(WorkerEvent):
    """Its process was made."""

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReady(WorkerEvent):
    """Its code is loaded and ``setup`` is done."""

    took: float
    """Seconds since its process was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFailed(WorkerEvent):
    """Its code could not be loaded, or ``setup`` or the source raised."""

    error: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDied(WorkerEvent):
    """It ended without having finished. What it held is delivered to others."""

    cause: str
    restart_after: float | None
    """Seconds until it is started again; ``None``: it is not."""
    details: str = ""
    """Lines that tell more than the cause: the user's traceback, or the last of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEnded(WorkerEvent):
    """It finished, or stopped when told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRepeats(WorkerEvent):
    """A source that died starts from its beginning: its items come again, under the same ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed(WorkerEvent):
    """A worker has something to say that people want to see."""

    kind: str
    """``failure``, ``dead``, ``pool``, ``refused``, ``warning``."""
    text: str
    fields: dict[str, str | int | float] = field(default_factory=dict)
