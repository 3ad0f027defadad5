"""Runs in the hub: does what clients ask for, by the store it keeps. An id that another job stands for means
that one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from penstock.errors import EnvironmentFault, PenstockError, UserError
from penstock.pipeline.nearest import nearest
from penstock.rabbitmq import asks
from penstock.tasks import freight, steering, survey
from penstock.tasks.desk import JobState
from penstock.tasks.job import Attempt
from penstock.tasks.schema import attempting
from penstock.tasks.store import Store

LARGEST = 4_000_000
"""Bytes of what is answered at once. No queue that is copied to other nodes keeps it, but a connection does
one thing at a time."""


class Passed(NamedTuple):
    """A question that only the supervisor can answer who has run a job."""

    supervisor: str
    """The key of his queue."""
    group: str
    id: str
    fence: int
    begin: int


class Answered(NamedTuple):
    """What the hub has to do now."""

    body: bytes
    """Of the answer, for who has asked."""
    changed: bool
    """Whether something in the store may be another than before."""
    passed: Passed | None = None
    """Who else is to be asked first; ``body``: if he is not there."""


def answer(store: Store, body: bytes) -> Answered:
    """Do what is asked. Whatever was asked, there is an answer."""
    try:
        ask = asks.decode(body)
        with attempting(store.db):
            found = ACTS[type(ask)](store, ask)
        if isinstance(found, Passed):
            return Answered(asks.reply_to(None), changed=False, passed=found)
        return Answered(asks.reply_to(found), isinstance(ask, asks.STEERING))
    except PenstockError as error:
        return Answered(asks.reply_to(error=error), changed=False)
    except (sqlite3.Error, OSError) as error:
        fault = EnvironmentFault(f"the hub cannot use its store of jobs, {store.path}: {error}")
        return Answered(asks.reply_to(error=fault), changed=False)
    except Exception as error:  # noqa: BLE001 - an id that is no name of a file, a number that no store holds
        refused = UserError(f"the hub cannot do that: {error!a}")
        return Answered(asks.reply_to(error=refused), changed=False)


def _find(store: Store, ask: asks.Find) -> list[str]:
    return survey.find(store, ask.text) or list(survey.aliases(store, [ask.text]).values())


def _states(store: Store, ask: asks.States) -> list[JobState]:
    """As they were asked for."""
    meant = _meant(store, ask.ids)
    found = {each.id: each for each in survey.states(store, meant)}
    pairs = zip(ask.ids, meant, strict=True)
    return [found[job]._replace(id=id) for id, job in pairs if job in found]


def _results(store: Store, ask: asks.Results) -> list[asks.Body | None]:
    """Of the first, as many as an answer holds, and of one at least."""
    found: list[asks.Body | None] = []
    size = 0
    for id in _meant(store, ask.ids):
        body = _sent(store, store.result_at(id), "its result has")
        size += len(body) if isinstance(body, bytes) else 0
        if found and size > LARGEST:
            break
        found.append(body)
    return found


def _arguments(store: Store, ask: asks.Arguments) -> asks.Body | None:
    return _sent(store, store.arguments_at(_one(store, ask.id)), "its arguments have")


def _attempts(store: Store, ask: asks.Attempts) -> list[Attempt]:
    """Without what the oldest have printed, where all of it would be too much."""
    room = LARGEST
    found: list[Attempt] = []
    for each in reversed(store.attempts(_one(store, ask.id))):
        room -= len(each.tail) + len(each.traceback)
        found.append(each if room > 0 else msgspec.structs.replace(each, tail="", traceback=""))
    return found[::-1]


def _log(store: Store, ask: asks.Log) -> Passed | None:
    """Of the last attempt: who has run those before, and where, nobody knows any more."""
    row = store.job(_one(store, ask.id))
    if row is None or row.fence != ask.fence or not row.owner.startswith("worker."):
        return None
    return Passed(row.owner, row.group, row.id, ask.fence, ask.begin)


def _cancel(store: Store, ask: asks.Cancel) -> list[str]:
    return _named(store, ask.ids, lambda ids: steering.cancel(store, ids, ask.why))


def _submit(store: Store, ask: asks.Submit) -> Any:
    for job in ask.jobs:
        _check(store, job.file, job.id)
    return store.submit(ask.jobs)


def _amend(store: Store, ask: asks.Amend) -> Any:
    id = _one(store, ask.id)
    _check(store, ask.file, id)
    return store.amend(id, ask.args, ask.file)


def _check(store: Store, file: str, id: str) -> None:
    """Nobody is to have the files of another store read.

    Raises:
        UserError: it is none of that job's in this one.
    """
    try:
        if file:
            store.beside.own(file, id)
    except ValueError as error:
        raise UserError(f"job {id}: {error}") from None


def _requeue(store: Store, ask: asks.Requeue) -> list[str]:
    return _named(store, ask.ids, store.requeue)


def _remove(store: Store, ask: asks.Remove) -> list[str]:
    return _named(store, ask.ids, store.remove)


def _named(store: Store, ids: Sequence[str], act: Callable[[Sequence[str]], Sequence[str]]) -> list[str]:
    """Those with which ``act`` was done, by the ids that were said."""
    meant = _meant(store, ids)
    done = set(act(meant))
    return [id for id, job in zip(ids, meant, strict=True) if job in done]


ACTS: dict[type[Any], Callable[[Store, Any], Any]] = {
    asks.Find: _find,
    asks.Look: lambda store, ask: store.job(_one(store, ask.id)),
    asks.Listing: lambda store, ask: store.jobs(ask.where, limit=min(ask.limit, asks.MOST)),
    asks.States: _states,
    asks.Results: _results,
    asks.Arguments: _arguments,
    asks.Attempts: _attempts,
    asks.Queues: lambda store, _: survey.queues(store),
    asks.Stats: lambda store, _: survey.figures(store),
    asks.Timings: lambda store, _: survey.timings(store),
    asks.Log: _log,
    asks.Whose: lambda store, _: store.id,
    asks.Submit: _submit,
    asks.Cancel: _cancel,
    asks.Requeue: _requeue,
    asks.Amend: _amend,
    asks.Remove: _remove,
    asks.Pause: lambda store, ask: steering.pause(store, _known(store, ask.groups), ask.why),
    asks.Resume: lambda store, ask: steering.resume(store, ask.groups),
}
"""What is done for each thing that may be asked."""


def _known(store: Store, groups: Sequence[str]) -> Sequence[str]:
    """These groups, which there are: a name alone makes none, as it has no queues."""
    known = store.groups()
    for group in groups:
        if group not in known:
            raise UserError(f"there is no group {group!r}{nearest(group, known)}")
    return groups


def _one(store: Store, id: str) -> str:
    return _meant(store, [id])[0]


def _meant(store: Store, ids: Sequence[str]) -> list[str]:
    """The jobs that these ids lead to."""
    known = survey.aliases(store, ids)
    return [known.get(id, id) for id in ids]


def _sent(store: Store, at: tuple[bytes | None, str] | None, what: str) -> asks.Body | None:
    """As it goes over the broker: itself, or what its file is called where whoever asks may see that."""
    if at is None:
        return None
    depot = store.beside.depot
    called = depot.called(at[1]) if depot and at[1] else ""
    if called and os.path.getsize(at[1]) > LARGEST:
        return asks.Filed(called)
    body = freight.whole(*at)
    if len(body) > LARGEST:
        raise UserError(f"{what} {len(body):,} bytes, too many to be sent over a broker")
    return body
