"""The words that pass between a supervisor and its workers (known to both processes).

They travel as length-prefixed msgpack over one unix socket pair per worker, made before the worker
is started, so the kernel itself tells each side of the other's death (end of file):

    +----------------+------------------------------+
    | length, u32 LE | msgpack of one tagged struct |
    +----------------+------------------------------+

Supervisor and worker import this file and never each other.
"""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import msgspec

from penstock.pipeline import ordering
from penstock.pipeline.plan import (
    ONE_LINERS,
    InLink,
    JoinPlan,
    Outlet,
    Plan,
    Reel,
    StagePlan,
    Step,
    WindowPlan,
    inlinks,
    outlets,
)
from penstock.pipeline.reference import Reference
from penstock.runtime import jobwire

VERSION = 1
"""Changes when either side would misread the other; compared at the handshake."""

LENGTH = struct.Struct("<I")
LIMIT = 16 * 1024 * 1024
"""The longest message either side accepts, in bytes."""


class Record(msgspec.Struct, frozen=True, tag="record"):
    """Supervisor -> worker: keep all that goes out by some of your links, or no more."""

    links: List[int]
    path: str
    """The folder of the recording; empty: close what is open."""


class Assignment(msgspec.Struct, frozen=True, tag="assignment"):
    """The first message to a worker: all it needs to know. Nothing is passed by environment or argv."""

    version: int
    run: str
    """The run's id: also the name of the run directory."""
    pipeline: str
    stage: str
    kind: str
    """``source``, ``stage``, ``sink`` or ``task``."""
    replica: int
    replicas: int
    number: int
    """Unique in the run: a restarted replica gets a new one. Names its socket, arena and page."""
    code: Reference
    outlets: List[Outlet]
    inlinks: List[InLink]
    run_dir: str
    state_dir: str
    """Where dead letters go: ``<state_dir>/dead/``."""
    window: int = 0
    """Items this replica may hold unfinished, per sender; 0 lets the link choose."""
    window_bytes: int = 256 * 1024 * 1024
    timeout: Optional[float] = None
    """Seconds one item may take; watched by the supervisor through the status page."""
    arena_bytes: int = 0
    """How much shared memory this worker may use for what it sends; 0: everything by socket."""
    allow_pickle: bool = False
    config: Dict[str, Any] = {}
    """The user's own settings, secrets among them: never shown."""
    workers: int = 1
    """Of the whole run, as it was planned."""
    hands: int = 1
    """Items that these work on together, at most."""
    paused: bool = False
    """Begin nothing before ``Pause`` says so."""
    resume: bool = False
    """A source goes on from where the last run has come to, if it can."""
    incarnation: int = 0
    """How many workers this replica has had before in this run."""
    batch: int = 0
    """Items of one call of user code at most; 0: it takes one item."""
    batch_wait: float = 0.0
    """Seconds that a batch may wait to be full."""
    pad: Union[int, float, None] = None
    """What fills the ends of smaller arrays of a batch; None: their shapes must agree."""
    max_age: Optional[float] = None
    """Seconds from when an item was made until it is not to be begun any more."""
    ordered: bool = False
    """Its items come in the order in which their source made them."""
    dedupe: int = 0
    """Ids that a sink remembers, to do nothing twice; 0: none."""
    steps: List[Step] = []
    """All the code that is called with each item, in this order; none: ``code`` alone, as its kind says."""
    reel: Optional[Reel] = None
    """What a source plays instead of making items."""
    queue: str = ""
    """Where its items come from, or go to, if it is an end of a queue."""
    record: Optional[Record] = None
    """What goes out by some links is recorded from the first item on."""
    shape: Union[WindowPlan, JoinPlan, None] = None
    """It puts items together, and has no user code; None: it has."""
    concurrency: int = 0
    """Items that async code has in hand at once; 0: not said, so one."""
    threads: int = 0
    """Threads that run the code, an item each; 0: the main thread does."""
    tasks: Dict[str, Reference] = {}
    """Of a group: the code of each of its tasks, by its name."""
    max_jobs: int = 0
    max_rss: int = 0
    """When a worker of a group lets a new one take its place: see ``StagePlan``."""

    @property
    def label(self) -> str:
        """``detect/0``: how people name this worker."""
        return f"{self.stage}/{self.replica}"

    @property
    def origin(self) -> str:
        """The first part of the ids of what a source makes that begins anew: other items, other ids."""
        return self._origin(self.incarnation)

    @property
    def origin_before(self) -> str:
        """That of the worker before this one, which has ended."""
        return self._origin(self.incarnation - 1)

    def _origin(self, incarnation: int) -> str:
        return f"{self.label}+{incarnation}" if incarnation else self.label


AS_PLANNED = (
    "window_bytes", "timeout", "max_age", "dedupe", "batch", "batch_wait", "pad",
    "concurrency", "threads", "shape", "reel", "queue", "tasks", "max_jobs", "max_rss",
)  # fmt: skip
"""What a worker is told as the plan of its stage has it."""


def assign(
    plan: Plan,
    stage: StagePlan,
    *,
    run: str,
    replica: int,
    replicas: int,
    number: int,
    run_dir: str,
    state_dir: str,
    arena_bytes: int,
    config: Dict[str, Any],
    resume: bool = False,
    incarnation: int = 0,
    paused: bool = False,
    asked: Mapping[str, int] = MappingProxyType({}),
    record: Optional[Record] = None,
) -> Assignment:
    """The assignment of one replica: what the plan says of its stage, and its place in this run.

    ``config`` is that of the plan, with the secrets in it found. ``asked``: how many replicas are wanted now,
    by stage; else as many as planned.
    """
    return Assignment(
        version=VERSION,
        run=run,
        pipeline=plan.pipeline,
        stage=stage.name,
        kind=stage.kind,
        replica=replica,
        replicas=replicas,
        workers=sum(each.replicas for each in plan.stages),
        hands=sum(each.replicas * each.hands for each in plan.stages),
        number=number,
        code=stage.code,
        outlets=ordering.told(plan, outlets(plan, stage.name, asked)),
        inlinks=ordering.rooted(plan, inlinks(plan, stage.name)),
        run_dir=run_dir,
        state_dir=state_dir,
        window=stage.room,
        arena_bytes=arena_bytes,
        allow_pickle=plan.allow_pickle,
        config=config,
        resume=resume,
        incarnation=incarnation,
        steps=_steps(stage),
        paused=paused,
        record=record,
        ordered=stage.ordered,
        **{knob: getattr(stage, knob) for knob in AS_PLANNED},
    )


def _steps(stage: StagePlan) -> List[Step]:
    if stage.steps or stage.how not in ONE_LINERS:
        return stage.steps
    return [Step(stage.name, stage.how, stage.code)]


class Connect(msgspec.Struct, frozen=True, tag="connect"):
    """Supervisor -> worker: take work from this sender."""

    link: int
    peer: int
    """The sender's number."""
    label: str
    endpoint: str


class Blame(msgspec.Struct, frozen=True, tag="blame"):
    """Which item a dead worker was working on, as its status page says."""

    sender: int
    link: int
    batch: int
    index: int


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """Supervisor -> worker: this peer has ended. Senders take back what it held; receivers let go of it."""

    peer: int
    label: str
    cause: str
    """``killed (SIGKILL)``, ``exit code 3``, ``timed out after 30 s``...; empty: it finished."""
    blame: Optional[Blame] = None


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Supervisor -> worker: take nothing new; finish what you hold; say ``Finished``; end."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Supervisor -> worker: end after the current item; what is unsettled is left to others."""


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """Supervisor -> worker: begin nothing more until told otherwise; or go on."""

    paused: bool


class Requeue(msgspec.Struct, frozen=True, tag="requeue"):
    """Supervisor -> worker: dead letters were put back; look whether some are yours."""


class Tap(msgspec.Struct, frozen=True, tag="tap"):
    """Supervisor -> worker: lay samples of what goes out by a link where they can be looked at."""

    link: int
    rate: float
    """At most so many a second; 0: none any more."""


class Inquire(msgspec.Struct, frozen=True, tag="inquire"):
    """Supervisor -> worker: which files below these directories have you imported?"""

    roots: List[str]


class Dismissed(msgspec.Struct, frozen=True, tag="dismissed"):
    """Supervisor -> worker that it did not start: you have lost your seat; the line ends here."""

    cause: str


class Bound(msgspec.Struct, frozen=True, tag="bound"):
    """Worker -> supervisor: my socket accepts receivers (sent before user code is loaded)."""

    pid: int
    python: str


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Worker -> supervisor: user code is loaded and ``setup`` is done."""

    resumes: bool = False
    """It is a source that goes on where it was, and does not begin anew."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Worker -> supervisor: user code could not be loaded or ``setup`` (or a source) raised; I end."""

    error: str
    """One line."""
    traceback: str
    permanent: bool = False
    """A restart would not help: the code is missing, the interpreter is wrong."""


class Imported(msgspec.Struct, frozen=True, tag="imported"):
    """Worker -> supervisor: the answer to ``Inquire``."""

    files: List[str]


class Leaving(msgspec.Struct, frozen=True, tag="leaving"):
    """Worker that the supervisor did not start -> supervisor: tell me to drain, I want to go."""


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """Worker -> supervisor: all I sent is settled, all I got is settled; I end now."""


class Recorded(msgspec.Struct, frozen=True, tag="recorded"):
    """Worker -> supervisor: my part of the recording of a link is closed."""

    link: int
    failure: str = ""
    """Why, if nobody asked for it: the disk is full, say."""


class Note(msgspec.Struct, frozen=True):
    """How far one item is, as user code has said last."""

    item: str
    """Its id; the worker's label where it is no item, in a source for example."""
    part: float
    """From 0 to 1."""
    numbers: Dict[str, float] = {}


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """Worker -> supervisor: how far those in hand are that have said so. What is not in it is over."""

    notes: List[Note]


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """Worker -> supervisor: something people want to see."""

    kind: str
    """``failure``, ``dead``, ``dropped``, ``pool``, ``kept``, ``refused``, ``warning``."""
    text: str
    fields: Dict[str, Union[str, int, float]] = {}


ToWorker = Union[
    Assignment, Connect, Gone, Drain, Stop, Pause, Requeue, Tap, Record, Inquire, Dismissed, jobwire.ToWorker
]
ToSupervisor = Union[
    Progress, Bound, Ready, Failed, Imported, Leaving, Finished, Recorded, Notice, jobwire.ToSupervisor
]

_encoder = msgspec.msgpack.Encoder()
to_worker = msgspec.msgpack.Decoder(ToWorker)
to_supervisor = msgspec.msgpack.Decoder(ToSupervisor)


def frame(message: Union[ToWorker, ToSupervisor]) -> bytes:
    """One message as bytes, length first."""
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body


def split(data: bytearray) -> List[bytes]:
    """Take the whole messages off the front of ``data``; what is incomplete stays in it.

    Raises:
        ValueError: a length above ``LIMIT``.
    """
    found: List[bytes] = []
    at = 0
    while len(data) - at >= LENGTH.size:
        (length,) = LENGTH.unpack_from(data, at)
        if length > LIMIT:
            raise ValueError(f"a control message of {length} bytes; the limit is {LIMIT}")
        if len(data) - at - LENGTH.size < length:
            break
        found.append(bytes(data[at + LENGTH.size : at + LENGTH.size + length]))
        at += LENGTH.size + length
    del data[:at]
    return found


def paths(run_dir: str, number: int) -> Tuple[str, str, str]:
    """Socket, arena and status page of worker ``number`` in its run directory."""
    return f"{run_dir}/{number}.sock", f"{run_dir}/{number}.arena", f"{run_dir}/{number}.page"
