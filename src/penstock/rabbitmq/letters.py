"""A job as a message of AMQP, there and back. A decision module.

    routing key    gpu                 submitted
                   later.gpu           submitted for later: the hub alone gets it, and passes it on
                   r10s.gpu            a copy, for another attempt, that has waited ten seconds on a rung
    message_id     the job's id, the same for all its copies
    type           penstock.job/1
    headers        ps-task, ps-rules (JSON), ps-by, ps-unique, ps-priority, ps-submitted (ms)
                   ps-run-at (ms)      not before
                   ps-after            the number of the attempt that this copy follows; 0: of none
                   ps-attempt          failures so far
                   ps-preempted        so often it was given back
                   ps-due (ms)         a copy: when it may be begun
                   ps-resume, ps-step  its last checkpoint
                   ps-file             the file that holds what is too large for the body (``tasks.depot``)
    body           of ``message.codec`` with one value: [positional, named]

Only these headers are written. What a broker adds (``x-death`` and the like) never gets into a copy: some
versions take a copy with such a header for a message that runs in circles, and drop it. Nothing is built from
a message before it was checked: anybody with an account may have sent it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from penstock.errors import PeerError, UserError
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.topology import MOST_BODY
from penstock.tasks.depot import Depot
from penstock.tasks.job import NewJob, Rules, is_id

TYPE = "penstock.job/1"
LONGEST = 1024
"""Letters of a name, a key, a checkpoint's address."""
FURTHEST = 2**53

WORDS = {
    "ps-task": "the name of a task",
    "ps-by": "the name of who submits it",
    "ps-unique": "a unique key",
    "ps-resume": "the address of a checkpoint",
    "ps-file": "the name of a file",
}
"""The texts of a letter: what each is called when it is too long."""

_rules = msgspec.json.Decoder(Rules)


class Unreadable(PeerError):
    """A message is no job. Says why."""


class Letter(msgspec.Struct, frozen=True):
    """A job on its way."""

    job: NewJob
    submitted_at: int
    """ms since 1970, by the clock of who submitted it."""
    after: int = 0
    """The attempt that this copy follows. Two copies that follow the same one are the same."""
    failures: int = 0
    preemptions: int = 0
    due: int = 0
    """Not to be begun before (ms since 1970); 0: at once."""
    resume_uri: str = ""
    resume_step: int = 0


def sealed(letter: Letter) -> Message:
    """As a message.

    Raises:
        UserError: its arguments or a text are too large: ``opened`` would refuse it.
    """
    job = letter.job
    if len(job.args) > MOST_BODY:
        raise UserError(
            f"{job.task}: {len(job.args):,} bytes of arguments are too many for a broker, which takes"
            f" {MOST_BODY:,}"
        )
    said = {
        "ps-task": job.task,
        "ps-rules": msgspec.json.encode(job.rules).decode(),
        "ps-by": job.by,
        "ps-unique": job.unique,
        "ps-priority": job.priority,
        "ps-submitted": letter.submitted_at,
        "ps-run-at": job.run_at,
        "ps-after": letter.after,
        "ps-attempt": letter.failures,
        "ps-preempted": letter.preemptions,
        "ps-due": letter.due,
        "ps-resume": letter.resume_uri,
        "ps-step": letter.resume_step,
        "ps-file": job.file,
    }
    headers = {name: value for name, value in said.items() if value}
    for name, word in WORDS.items():
        if (size := len(str(headers.get(name, "")))) > LONGEST:
            raise UserError(
                f"{job.task[:80]}: {size:,} letters are too many for {word}"
                f" over a broker, which takes {LONGEST:,}"
            )
    return Message(body=job.args, type=TYPE, id=job.id, headers=headers)


def opened(message: Message, key: str) -> Letter:
    """The job that a message is, which has come by that routing key.

    Raises:
        Unreadable: it is none.
    """
    if message.type != TYPE:
        raise Unreadable(f"it is of the type {str(message.type)[:80]!r}, and a job is a {TYPE!r}")
    if not is_id(message.id):
        raise Unreadable("its message_id is no id of a job")
    if len(message.body) > MOST_BODY:
        raise Unreadable(f"its body has {len(message.body):,} bytes, and a job has {MOST_BODY:,} at most")
    said = _Headers(message.headers)
    job = NewJob(
        group=group_of(key),
        task=said.text("ps-task", needed=True),
        args=message.body,
        id=message.id,
        priority=said.number("ps-priority", least=-FURTHEST),
        run_at=said.number("ps-run-at"),
        unique=said.text("ps-unique"),
        rules=said.rules(),
        by=said.text("ps-by"),
        file=said.file(message.id),
    )
    return Letter(
        job,
        submitted_at=said.number("ps-submitted"),
        after=said.number("ps-after"),
        failures=said.number("ps-attempt"),
        preemptions=said.number("ps-preempted"),
        due=said.number("ps-due"),
        resume_uri=said.text("ps-resume"),
        resume_step=said.number("ps-step"),
    )


def group_of(key: str) -> str:
    """The group that a routing key names: its last word."""
    return key.rpartition(".")[2]


class _Headers:
    """Those of a message that is not to be trusted."""

    def __init__(self, said: Any) -> None:
        self._said = said if isinstance(said, Mapping) else {}

    def text(self, name: str, *, needed: bool = False) -> str:
        """A text; empty where there is none."""
        found = self._said.get(name, "")
        if not isinstance(found, str) or len(found) > LONGEST or (needed and not found):
            raise Unreadable(f"its header {name} is no text of up to {LONGEST} letters")
        return found

    def number(self, name: str, *, least: int = 0) -> int:
        """A whole number; 0 where there is none."""
        found = self._said.get(name, 0)
        if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= FURTHEST:
            raise Unreadable(f"its header {name} is no whole number from {least} to {FURTHEST}")
        return found

    def file(self, id: str) -> str:
        """What its file is called; empty where there is none."""
        found = self.text("ps-file")
        try:
            return Depot("").path(found, id) if found else ""
        except ValueError as error:
            raise Unreadable(f"its header ps-file: {error}") from None

    def rules(self) -> Rules:
        """How the job is to be treated."""
        found = self._said.get("ps-rules", "{}")
        try:
            return _rules.decode(found)
        except (msgspec.DecodeError, TypeError, UnicodeError, RecursionError) as error:
            why = str(error)[:200]
            raise Unreadable(f"its header ps-rules is no JSON of the rules of a job: {why}") from None
