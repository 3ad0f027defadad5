"""Queues: items that wait on disk for a pipeline that draws them.

An item of a queue is a job without a task: it is claimed, given back, counted as failed and dead as any, by
the same rules and with the same commands. Its group is the queue's name.
"""

from __future__ import annotations

import uuid
from typing import Any, Iterable, List, Sequence

from penstock.errors import UserError
from penstock.pipeline.checks import check_name
from penstock.tasks import freight
from penstock.tasks.desk import Desk
from penstock.tasks.job import NewJob, Rules, new_id

ITEM = "!item"
"""In place of a task's name; none can be called so."""
RULES = Rules(backoff=1.0, longest=60.0)
NAMES = uuid.UUID("6f0f27a6-0d4e-5c53-9a3c-5f2b6d1b7c11")
"""Of ids that are made of names (RFC 9562, version 5)."""


class Queue:
    """One, for who puts items into it: ``penstock.tasks.queue("images").put(image)``."""

    def __init__(self, name: str, desk: Desk) -> None:
        """``desk``: that of the store it is in.

        Raises:
            UserError: no queue can be called so.
        """
        try:
            self.name = check_name(name)
        except ValueError as error:
            raise UserError(f"queue {name!r}: {error}") from None
        self._desk = desk

    def __repr__(self) -> str:
        return f"<queue {self.name}>"

    def put(self, item: Any) -> str:
        """Have it on disk; its id as a job.

        Raises:
            UnsupportedType: it cannot travel.
            EnvironmentFault: the store cannot be opened or written.
            OSError: the disk is full.
        """
        return self.put_many([item])[0]

    def put_many(self, items: Iterable[Any], *, ids: Sequence[str] = ()) -> List[str]:
        """Have them on disk, all or none. Much faster than one after the other.

        Args:
            items: Whatever could be sent by a link.
            ids: What each is known by elsewhere: what is put again under the same is there once.

        Raises:
            UnsupportedType, EnvironmentFault, OSError: as ``put``.
        """
        names = [_id(self.name, each) for each in ids]
        jobs = [self._job(item, names[n] if names else new_id()) for n, item in enumerate(items)]
        return self._desk.submit(jobs)

    def _job(self, item: Any, id: str) -> NewJob:
        return NewJob(group=self.name, task=ITEM, args=freight.packed([[item], {}]), id=id, rules=RULES)


def _id(queue: str, name: str) -> str:
    return str(uuid.uuid5(NAMES, f"{queue}\n{name}"))
