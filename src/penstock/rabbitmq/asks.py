"""What a client asks of the hub, and what it is answered, as messages. A decision module.

    client                                   hub
       | ps.asks    an Ask           ----->   |   {"ask": "look", "id": "..."}
       | <-----  ps.ctl, its own key  Reply   |   {"answer": ...} or {"error": "...", "kind": "UserError"}

There is one record for each thing that may be asked: nothing else is ever done, whatever is in a message.
What would be too long an answer is given in part, the first results, the newest jobs: who has asked asks for
the rest.
"""

from __future__ import annotations

from typing import Annotated, Any, Optional, Union

import msgspec

from penstock.errors import EnvironmentFault, PeerError, PenstockError, UserError
from penstock.rabbitmq.letters import Unreadable
from penstock.tasks.desk import Figures, JobState, Piece, Queue, Timing
from penstock.tasks.filter import ANY, Filter
from penstock.tasks.job import Attempt, Count, JobRow, NewJob, Offset

TYPE = "penstock.ask/1"
ANSWER_TYPE = "penstock.answer/1"
MOST = 1000
"""Ids, or jobs, in one message."""

Ids = Annotated[list[str], msgspec.Meta(max_length=MOST)]


class Filed(msgspec.Struct, frozen=True):
    """In place of arguments or of a result that are too large for a message: what their file is called."""

    file: str


Body = Union[bytes, Filed]


class Find(msgspec.Struct, frozen=True, tag_field="ask", tag="find"):
    """Which jobs are meant by a number, an id, or the beginning of one?"""

    text: str


class Look(msgspec.Struct, frozen=True, tag_field="ask", tag="look"):
    """What is known of that one?"""

    id: str


class Listing(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="ask", tag="list"):
    """Which match? The newest come first, up to ``MOST``."""

    where: Filter = ANY
    limit: Annotated[int, msgspec.Meta(ge=0)] = MOST


class States(msgspec.Struct, frozen=True, tag_field="ask", tag="states"):
    """How do these stand?"""

    ids: Ids


class Results(msgspec.Struct, frozen=True, tag_field="ask", tag="results"):
    """What did these give? The first of them, at least one."""

    ids: Ids


class Arguments(msgspec.Struct, frozen=True, tag_field="ask", tag="arguments"):
    """What was it submitted with?"""

    id: str


class Attempts(msgspec.Struct, frozen=True, tag_field="ask", tag="attempts"):
    """How did its attempts end?"""

    id: str


class Queues(msgspec.Struct, frozen=True, tag_field="ask", tag="queues"):
    """What waits for each group?"""


class Stats(msgspec.Struct, frozen=True, tag_field="ask", tag="stats"):
    """How many are there of each task and state?"""


class Timings(msgspec.Struct, frozen=True, tag_field="ask", tag="timings"):
    """Which tasks are called by themselves?"""


class Log(msgspec.Struct, frozen=True, tag_field="ask", tag="log"):
    """What has that attempt printed from byte ``begin`` on? -1: the end of it."""

    id: str
    fence: Count
    begin: Offset


class Whose(msgspec.Struct, frozen=True, tag_field="ask", tag="whose"):
    """What is the id of the store, by which its part of the depot is called?"""


class Submit(msgspec.Struct, frozen=True, tag_field="ask", tag="submit"):
    """Have these on disk, all or none: some wait for others."""

    jobs: Annotated[list[NewJob], msgspec.Meta(max_length=MOST)]


class Cancel(msgspec.Struct, frozen=True, tag_field="ask", tag="cancel"):
    """Have them never begun (again)."""

    ids: Ids
    why: str = ""


class Requeue(msgspec.Struct, frozen=True, tag_field="ask", tag="requeue"):
    """Put them back."""

    ids: Ids


class Amend(msgspec.Struct, frozen=True, tag_field="ask", tag="amend"):
    """Put that one back with other arguments."""

    id: str
    args: bytes
    file: str = ""
    """Where they lie, if they are too large for a message."""


class Remove(msgspec.Struct, frozen=True, tag_field="ask", tag="remove"):
    """Delete them."""

    ids: Ids


class Pause(msgspec.Struct, frozen=True, tag_field="ask", tag="pause"):
    """Have nothing more of these groups begun."""

    groups: list[str]
    why: str = ""


class Resume(msgspec.Struct, frozen=True, tag_field="ask", tag="resume"):
    """Let them go on."""

    groups: list[str]


Steering = Union[Submit, Cancel, Requeue, Amend, Remove, Pause, Resume]
Looking = Union[Find, Look, Listing, States, Results, Arguments, Attempts, Queues, Stats, Timings, Whose, Log]
Ask = Union[Steering, Looking]
STEERING = (Submit, Cancel, Requeue, Amend, Remove, Pause, Resume)
ONCE = (Requeue, Amend, Remove)
"""Who asks for it twice is told something else the second time."""

ANSWERS: dict[type[Any], Any] = {
    Find: list[str],
    Look: Optional[JobRow],
    Listing: list[JobRow],
    States: list[JobState],
    Results: list[Optional[Body]],
    Arguments: Optional[Body],
    Attempts: list[Attempt],
    Queues: list[Queue],
    Stats: list[Figures],
    Timings: list[Timing],
    Whose: str,
    Log: Optional[Piece],
    Submit: list[str],
    Cancel: list[str],
    Requeue: list[str],
    Amend: bool,
    Remove: list[str],
    Pause: None,
    Resume: None,
}
"""What is answered to each."""

FAULTS: dict[str, type[PenstockError]] = {
    "UserError": UserError,
    "EnvironmentFault": EnvironmentFault,
    "PeerError": PeerError,
}
"""What may be raised at the other end: any other kind is the nearest of these."""


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer, or why there is none."""

    answer: msgspec.Raw = msgspec.Raw(b"\xc0")
    error: str = ""
    kind: str = ""


_encode = msgspec.msgpack.Encoder().encode
_ask = msgspec.msgpack.Decoder(Ask)
_reply = msgspec.msgpack.Decoder(Reply)
_answers = {kind: msgspec.msgpack.Decoder(answer) for kind, answer in ANSWERS.items()}


def encode(ask: Ask) -> bytes:
    """As the body of a message."""
    return _encode(ask)


def decode(body: bytes) -> Ask:
    """What was asked.

    Raises:
        Unreadable: nothing that this version knows.
    """
    try:
        found: Ask = _ask.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable(f"the hub does not know such a request: {str(error)[:200]}") from None
    return found


def answer_of(ask: Ask, body: bytes) -> Any:
    """What was answered to ``ask``.

    Raises:
        UserError, EnvironmentFault, PeerError: it could not be done; in the hub's words.
        Unreadable: it is no answer to that.
    """
    try:
        reply = _reply.decode(body)
        if reply.error:
            raise FAULTS.get(reply.kind, EnvironmentFault)(reply.error)
        return _answers[type(ask)].decode(reply.answer)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Unreadable(f"the hub has answered something else: {str(error)[:200]}") from None


def reply_to(answer: Any = None, error: PenstockError | None = None) -> bytes:
    """The answer, as the body of a message, or why there is none."""
    if error is None:
        return _encode(Reply(msgspec.Raw(_encode(answer))))
    kind = next((name for name, kind in FAULTS.items() if isinstance(error, kind)), "EnvironmentFault")
    return _encode(Reply(error=str(error), kind=kind))
