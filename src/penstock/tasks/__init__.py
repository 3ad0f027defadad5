"""Durable jobs: calls of functions that are on disk before they are made, and until they are done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.tasks.handle import Job
    from penstock.tasks.items import Queue


def get(id: str) -> Job[Any]:
    """The job of that id (or short number), as ``submit`` gave it, in whatever process.

    It is looked for in the store of the current directory's app: ``PENSTOCK_JOBS``, ``[tasks] store`` of the
    nearest ``penstock.toml``, ``.penstock/jobs.db``.

    Raises:
        NoSuchJob: there is none.
    """
    from penstock.tasks.connect import desk
    from penstock.tasks.handle import Job

    here = desk(os.getcwd())
    found: Job[Any] = Job(id, here)
    return Job(found.row.id, here)


def queue(name: str) -> Queue:
    """The queue of that name, for who hands items to a pipeline that draws from it:
    ``penstock.tasks.queue("images").put(image)``. It is looked for as by ``get``.

    Raises:
        UserError: no queue can be called so.
    """
    from penstock.tasks.connect import desk
    from penstock.tasks.items import Queue

    return Queue(name, desk(os.getcwd()))
