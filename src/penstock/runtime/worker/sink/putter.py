"""In the worker of a sink that puts into a queue: what is called with its items."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, List

from penstock.errors import EnvironmentFault
from penstock.pipeline.context import Context
from penstock.runtime.control import Assignment
from penstock.tasks.connect import desk
from penstock.tasks.items import Queue

PAUSE = 1.0
"""Seconds between two tries to write, where that fails."""


def code(assignment: Assignment) -> Callable[[List[Any], Context], None]:
    """A function that puts a batch into the queue, and returns when it is on disk.

    What is delivered again has the id that it had, and is in the queue once. Ids are those of a run: in
    another, the same means something else.
    """
    queue = Queue(assignment.queue, desk(os.getcwd()))
    run = assignment.run

    def put(items: List[Any], ctx: Context) -> None:
        ids = [f"{run}\n{id}" for id, _ in ctx.in_hand()]  # type: ignore[attr-defined]
        while trouble := _trouble(lambda: queue.put_many(items, ids=ids)):
            ctx.log.warning("what is for the queue %s waits: %s", queue.name, trouble)
            time.sleep(PAUSE)

    return put


def _trouble(put: Callable[[], Any]) -> str:
    """Why it could not be put, if that will pass: a disk that is full will not be so for ever."""
    try:
        put()
    except (EnvironmentFault, OSError) as error:
        return str(error)
    return ""
