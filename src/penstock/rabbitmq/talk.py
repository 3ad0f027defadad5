"""What a supervisor and the hub tell each other. A decision module.

    supervisor                                  hub
        | ps.claims   Hello, Ask, Ask ...  -----> |      one message carries many: each costs what ten
        | <--- ps.ctl, its own key  Run, Later -- |      thousand bytes in one do not
        | ps.events   Ending, Ending ...   -----> |      durable: taken as soon as there is a hub
        | ps.events   Saying               -----> |      progress may be lost, checkpoints are not
        | <--- ps.ctl, its own key   End -------- |      somebody has cancelled a job
        | <--- ps.ctl, its own key  Heard ------- |      a Hello is said again until it is written down
        | <--- ps.ctl, `all`   Standstill ------- |      groups that are paused
        | <--- ps.ctl, its own key  Show -------- |      somebody looks at a log: only then does one travel
        | ps.events   Shown        -------------> |      may be lost
        | <--- ps.ctl, `all`   RollCall --------- |      there is a new hub

Nothing is asked twice at the same time, and nothing is believed because it came late: each word about an
attempt names its fence.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, Union

import msgspec

from penstock.rabbitmq.letters import Unreadable
from penstock.tasks.desk import Piece
from penstock.tasks.job import Count, Id, Offset
from penstock.tasks.schedule import Scheduled
from penstock.tasks.settle import Outcome

RETURNED = "returned"
"""Of the key `<group>.returned`: a job, as in a queue, for a hub that has asked for it by ``Tell``."""
LOG = "log"
"""Of the key `<group>.log`: a ``Shown``."""
PROGRESS = "progress"
CHECKPOINT = "checkpoint"
"""Of the keys `<group>.progress` and `<group>.checkpoint`: a ``Report`` of ``Saying``."""
SETTLED = "settled"
"""Of the keys `<group>.settled`: a ``Report`` of ``Ending``, of several jobs and outcomes."""


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """I have a copy of this job in hand: may I begin it?"""

    id: Id
    after: Count
    """The attempt that the copy follows."""
    failures: Count = 0
    preemptions: Count = 0


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """I am here (again), and run these groups."""

    groups: list[str]
    holds: list[tuple[Id, Count]] = []
    """Jobs that run here, with their fences, from before."""
    schedules: list[Scheduled] | None = None
    """Of their tasks; ``None``: their code is not known here."""
    gpus: Count = 0
    """That a worker of them has."""


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """That attempt is not mine (any more), though you have it so."""

    id: Id
    fence: Count


class Halt(msgspec.Struct, frozen=True, tag="halt"):
    """Nothing more of this group is to be begun, by anybody."""

    group: str
    why: str


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """From one hub to whichever is the active one: who reads this, is."""


class Petition(msgspec.Struct, frozen=True):
    """What a supervisor says on `<group>.claim`."""

    sender: str
    """The key of its own queue on ``ps.ctl``."""
    words: list[Union[Ask, Hello, Lost, Halt, Ping]]


class Run(msgspec.Struct, frozen=True, omit_defaults=True, tag="run"):
    """It is yours. The store's word counts, where the copy says something else."""

    id: Id
    after: Count
    fence: Count
    seq: int
    failures: Count
    preemptions: Count
    resume_uri: str = ""
    resume_step: Count = 0


class Skip(msgspec.Struct, frozen=True, tag="skip"):
    """Let that copy go: the job is over, or another copy stands for it."""

    id: Id
    after: Count
    why: str


class Later(msgspec.Struct, frozen=True, tag="later"):
    """Somebody else seems to run it. Put that copy back as it is, for so many seconds."""

    id: Id
    after: Count
    seconds: float


class End(msgspec.Struct, frozen=True, tag="end"):
    """That attempt is to end: somebody has cancelled the job, or another runs it now."""

    id: Id
    fence: Count


class Held(msgspec.Struct, frozen=True, tag="held"):
    """Do you still run that attempt? Say ``Lost`` if not."""

    id: Id
    fence: Count


class Tell(msgspec.Struct, frozen=True, tag="tell"):
    """I have lost what I knew of that job. Say what your copy says, as a job on `<group>.returned`."""

    id: Id


class Show(msgspec.Struct, frozen=True, tag="show"):
    """Somebody wants to see what that attempt has printed from byte ``begin`` on; say ``Shown``."""

    question: str
    group: str
    id: Id
    fence: Count
    begin: Offset


class Standstill(msgspec.Struct, frozen=True, tag="standstill"):
    """These groups are paused, and no others."""

    groups: list[str]


class Heard(msgspec.Struct, frozen=True, omit_defaults=True, tag="heard"):
    """What you have said of this group is written down: ``Hello``, or ``Halt``."""

    group: str
    halt: bool = False
    store: str = ""
    """The id of the store: who sees a part of that name in his depot may say where a large result lies."""


class RollCall(msgspec.Struct, frozen=True, tag="rollcall"):
    """From the hub that has just become the active one, to all: say ``Hello``."""


class Orders(msgspec.Struct, frozen=True):
    """What the hub says to one supervisor, or to all."""

    words: list[Union[Run, Skip, Later, End, Held, Standstill, Heard, RollCall, Show, Tell]]


class Saying(msgspec.Struct, frozen=True, omit_defaults=True, tag="saying"):
    """How far an attempt is, or what it has saved."""

    id: Id
    fence: Count
    progress: float | None = None
    numbers: dict[str, Any] = {}
    resume_uri: str = ""
    resume_step: Count = 0


class Ending(msgspec.Struct, frozen=True, omit_defaults=True, tag="ending"):
    """An attempt has ended."""

    id: Id
    fence: Count
    outcome: Outcome
    due: Count = 0
    """When its next attempt may begin (ms since 1970), where there is to be one."""
    worker: str = ""
    pid: int = 0
    log: str = ""
    tail: str = ""
    env: str = ""
    """The hash of the environment that it ran in."""


Question = Annotated[str, msgspec.Meta(pattern=r"^reply\.[0-9a-zA-Z_-]{1,80} [0-9a-zA-Z_-]{1,80}\Z")]
"""To whom, and to what, an answer is."""


class Shown(msgspec.Struct, frozen=True):
    """What a supervisor says on `<group>.log` to ``Show``; ``None``: it has no such log."""

    question: Question
    piece: Piece | None


class Report(msgspec.Struct, frozen=True):
    """What a supervisor says on `<group>.<kind>`."""

    sender: str
    words: list[Union[Saying, Ending]]


Message = TypeVar("Message", Petition, Orders, Report, Shown)

encode = msgspec.msgpack.Encoder().encode
_decoders = {kind: msgspec.msgpack.Decoder(kind) for kind in (Petition, Orders, Report, Shown)}


def decode(body: bytes, kind: type[Message]) -> Message:
    """What was said.

    Raises:
        Unreadable: nothing of that kind was.
    """
    try:
        found: Message = _decoders[kind].decode(body)  # type: ignore[assignment]
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable(f"it is no {kind.__name__} of this version: {str(error)[:200]}") from None
    return found
