"""The words that pass between a supervisor and its workers, who import this file and never each other.

They travel as length-prefixed msgpack over one unix socket pair per worker, made before the worker
is started, so the kernel itself tells each side of the other's death (end of file):

    +----------------+------------------------------+
    | length, u32 LE | msgpack of one tagged struct |
    +----------------+------------------------------+
"""

from __future__ import annotations

import struct
from typing import Any, Dict, List, Optional, Tuple, Union

import msgspec

from penstock.pipeline.plan import Ear, InLink, JoinPlan, Outlet, Reel, Step, WindowPlan
from penstock.pipeline.reference import Reference

VERSION = 1
"""Changes when either side would misread the other; compared at the handshake."""

LENGTH = struct.Struct("<I")
LIMIT = 16 * 1024 * 1024
"""The longest message either side accepts, in bytes."""


class Spoken(msgspec.Struct, frozen=True, tag="assignment"):
    """Of an assignment, what every version of it has."""

    version: int = 0


class Record(msgspec.Struct, frozen=True, tag="record"):
    """Supervisor -> worker: keep all that goes out by some of your links, or no more."""

    links: List[int]
    path: str
    """The folder of the recording; empty: close what is open."""


class Hearer(msgspec.Struct, frozen=True):
    """A subscriber of the run, as those see it who may publish."""

    ear: Ear
    depth: int
    """Values of one publisher that wait for it."""


class Assignment(msgspec.Struct, frozen=True, tag="assignment"):
    """The first message to a worker: all it needs to know. Nothing is passed by environment or argv."""

    version: int
    run: str
    """The run's id: also the name of the run directory."""
    pipeline: str
    stage: str
    kind: str
    """``source``, ``stage``, ``sink``, ``task`` or ``service``."""
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
    position: bytes = b""
    """Of a source on another host: what is kept of it on the first one."""
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
    hearers: Dict[str, Hearer] = {}
    """The run's subscribers, by name (``log/0``)."""
    ear: Optional[Hearer] = None
    """Of a subscriber: its own."""
    max_jobs: int = 0
    max_rss: int = 0
    """When a worker of a group lets a new one take its place: see ``StagePlan``."""
    host: str = ""
    """The id of the host that it runs on; empty: the first one."""
    listen: str = ""
    """Where receivers of other hosts find it, ``tcp://10.0.0.5:*`` say: a number, or an interface's name.
    Empty: nowhere. It says in ``Bound`` what it got."""
    curve: Optional[Tuple[str, str]] = None
    """The run's own key, public and secret: whoever has it belongs to the run, and nobody else is let in.
    None: tcp is spoken in the clear, on this machine alone."""

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


class Connect(msgspec.Struct, frozen=True, tag="connect"):
    """Supervisor -> worker: take work from this sender."""

    link: int
    peer: int
    """The sender's number."""
    label: str
    endpoint: str
    """Within a host ``ipc://...``: what it has in shared memory can be seen there alone. On another
    ``tcp://name:port``; a name is looked up at every attempt."""


class Hear(msgspec.Struct, frozen=True, tag="hear"):
    """Supervisor -> subscriber: there is a publisher."""

    peer: int
    label: str
    endpoint: str


class Mute(msgspec.Struct, frozen=True, tag="mute"):
    """Supervisor -> subscriber: that publisher has ended."""

    peer: int


class Deaf(msgspec.Struct, frozen=True, tag="deaf"):
    """Supervisor -> publisher: a subscriber has ended."""

    name: str
    peer: str
    """What its sockets were called: its successor may be there already."""
    again: bool
    """Another one of that name is to come."""


class Blame(msgspec.Struct, frozen=True, tag="blame"):
    """Which item a dead worker was working on, as its status page says."""

    sender: int
    link: int
    batch: int
    index: int


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """Supervisor -> worker: this peer has ended. Senders take back what it held; receivers let go of it, and
    so do replicas of a service, whose peers are callers."""

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
    prefix: str = ""
    """Of the environment that it runs in."""
    tcp: str = ""
    """Where receivers of other hosts find it: ``Assignment.listen`` with the port it got; empty: nowhere."""
    version: int = 0
    """``VERSION`` as it has it; 0: as old as if none were said."""


class Publishing(msgspec.Struct, frozen=True, tag="publishing"):
    """Worker -> supervisor: I publish; subscribers may connect, those of other hosts by ``tcp``."""

    tcp: str = ""


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


class Position(msgspec.Struct, frozen=True, tag="position"):
    """Worker -> supervisor: so far has come a source on another host; no data: it begins anew."""

    data: bytes


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
    Assignment, Connect, Hear, Mute, Deaf, Gone, Drain, Stop, Pause, Requeue, Tap, Record, Inquire, Dismissed
]
ToSupervisor = Union[
    Progress, Bound, Publishing, Ready, Failed, Imported, Leaving, Finished, Recorded, Position, Notice
]
"""Each side makes a decoder of what it hears, and none of what it says: that takes a millisecond. Where there
are jobs, both know more words: see ``jobwire``."""

here: Optional[Tuple[str, str]] = None
"""Of the process of a worker: its run directory, and the name of the pipeline."""

_encoder = msgspec.msgpack.Encoder()


def frame(message: msgspec.Struct) -> bytes:
    """One message as bytes, length first."""
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body


def foreign(version: int, theirs: str) -> str:
    """Why nobody should listen to who speaks ``version``; empty: it is ours. ``theirs``: who that is.

    A worker that is started again runs what lies on disk by then, and its supervisor what lay there once.
    """
    if version == VERSION:
        return ""
    return (
        f"{theirs} speaks version {version} of what passes between supervisor and workers, and this process"
        f" {VERSION}: penstock was changed beneath a run; end that run, and start it again"
    )


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


def topic_paths(run_dir: str, number: object) -> Tuple[str, str]:
    """Socket and tally of a worker that publishes; of somebody outside, ``number`` is a name."""
    return f"{run_dir}/{number}.pub", f"{run_dir}/{number}.tally"


def paths(run_dir: str, number: int) -> Tuple[str, str, str]:
    """Socket, arena and status page of worker ``number`` in its run directory."""
    return f"{run_dir}/{number}.sock", f"{run_dir}/{number}.arena", f"{run_dir}/{number}.page"
