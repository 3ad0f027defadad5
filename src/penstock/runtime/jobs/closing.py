"""Runs in the supervisor: the end of an attempt, made ready to go over a broker."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.talk import Ending
from penstock.rabbitmq.topology import MOST_BODY
from penstock.runtime.jobs.book import tail
from penstock.tasks import outputs
from penstock.tasks.depot import Depot
from penstock.tasks.files import read
from penstock.tasks.home import Home
from penstock.tasks.settle import Closing, Done, Failed

ROOM = 100_000
"""Bytes of a message for all that is not a result."""


class Settled(NamedTuple):
    """What becomes of a job."""

    group: str
    ending: Ending
    copy: Letter | None
    """For its next attempt."""
    state: str


def prepared(closing: Closing, home: Home, store: str) -> Closing:
    """With its result in place of a file's path, the end of its log, and what it has written in its lasting
    place. ``store``: its part of the depot is where a large result lies; empty: it is not known."""
    if isinstance(closing.outcome, Done):
        closing = _carried(closing, closing.outcome, home.depot, store)
    if closing.wrote:
        closing = _published(closing, home)
    return closing._replace(tail=tail(closing.log)) if closing.log else closing


def waits_for_disk(closing: Closing) -> bool:
    """Whether ``prepared`` has anything to read or to rename. Most short jobs leave nothing there."""
    return (
        closing.wrote
        or bool(closing.log)
        or (isinstance(closing.outcome, Done) and bool(closing.outcome.path))
    )


def _published(closing: Closing, home: Home) -> Closing:
    draft = home.draft(closing.id, closing.fence)
    if isinstance(closing.outcome, Done) and os.path.isdir(draft):
        try:
            outputs.publish(draft, home.out(closing.id))
        except OSError as error:
            failed = Failed("error", f"what it has written cannot be published: {error}")
            closing = closing._replace(outcome=failed)
    outputs.discard(draft)
    return closing


def _carried(closing: Closing, done: Done, depot: Depot, store: str) -> Closing:
    if not done.path:
        return closing
    try:
        return closing._replace(outcome=_outcome(closing, done.path, depot, store))
    except OSError as error:
        return closing._replace(outcome=Failed("error", f"its result cannot be read: {error}"))


def _outcome(closing: Closing, path: str, depot: Depot, store: str) -> Done | Failed:
    size = os.path.getsize(path)
    if size > MOST_BODY - ROOM and depot.is_shared(store):
        name = f"{closing.id}.{closing.fence}.result"
        return Done(path=depot.take_in(store, name, path))
    body = b"" if size > MOST_BODY - ROOM else read(path)
    with suppress(OSError):
        os.unlink(path)
    if body:
        return Done(body)
    why = f"its result has {size:,} bytes, and {MOST_BODY - ROOM:,} go over a broker; {depot.cure}"
    return Failed("unusable", why)


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
