"""Runs in the supervisor: the end of an attempt, made ready to go over a broker."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.talk import Ending
from penstock.rabbitmq.topology import MOST_BODY
from penstock.runtime.book import tail
from penstock.tasks import outputs
from penstock.tasks.files import read
from penstock.tasks.home import Home
from penstock.tasks.settle import Done, Failed
from penstock.tasks.store import Closing

ROOM = 100_000
"""Bytes of a message for all that is not a result."""


class Settled(NamedTuple):
    """What becomes of a job."""

    group: str
    ending: Ending
    copy: Letter | None
    """For its next attempt."""
    state: str


def prepared(closing: Closing, home: Home) -> Closing:
    """With its result in place of a file's path, the end of its log, and what it has written in its lasting
    place."""
    draft = home.draft(closing.id, closing.fence)
    if isinstance(closing.outcome, Done):
        closing = _carried(closing, closing.outcome)
    if isinstance(closing.outcome, Done) and os.path.isdir(draft):
        try:
            outputs.publish(draft, home.out(closing.id))
        except OSError as error:
            failed = Failed("error", f"what it has written cannot be published: {error}")
            closing = closing._replace(outcome=failed)
    outputs.discard(draft)
    return closing._replace(tail=tail(closing.log))


def _carried(closing: Closing, done: Done) -> Closing:
    if not done.path:
        return closing
    try:
        body = read(done.path)
    except OSError as error:
        return closing._replace(outcome=Failed("error", f"its result cannot be read: {error}"))
    with suppress(OSError):
        os.unlink(done.path)
    if len(body) > MOST_BODY - ROOM:
        why = (
            f"its result has {len(body):,} bytes, and {MOST_BODY - ROOM:,} go over a broker:"
            " write a file where all can read it, and return its path"
        )
        return closing._replace(outcome=Failed("unusable", why))
    return closing._replace(outcome=Done(body))


def parts(endings: Sequence[Ending]) -> Iterator[list[Ending]]:
    """As many together as one message may carry."""
    part: list[Ending] = []
    room = MOST_BODY
    for each in endings:
        size = _size(each)
        if part and size > room:
            yield part
            part, room = [], MOST_BODY
        part.append(each)
        room -= size
    if part:
        yield part


def _size(ending: Ending) -> int:
    outcome = ending.outcome
    if isinstance(outcome, Done):
        return len(outcome.result) + len(ending.tail) * 2 + 500
    return len(ending.tail) * 2 + len(getattr(outcome, "traceback", "")) * 2 + 500
