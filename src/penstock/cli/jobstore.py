"""The store of jobs that a command is about: that of the app in this directory."""

from __future__ import annotations

from penstock.cli import appfile
from penstock.errors import BrokerFault, UserError
from penstock.pipeline.nearest import nearest
from penstock.tasks.connect import desk
from penstock.tasks.desk import Desk
from penstock.tasks.handle import Job, NoSuchJob


class NoJobs(UserError):
    """Nobody has submitted any here."""

    exit_code = 3


def here() -> Desk:
    """It, whether there is one yet or not."""
    return desk(appfile.directory())


def existing() -> Desk:
    """It.

    Raises:
        NoJobs: there is none: a command that only looks makes none.
    """
    found = here()
    if not found.is_there:
        raise NoJobs(
            f"no job was submitted here: there is no {found.place};"
            " go to where the app file is, or say where with PENSTOCK_JOBS"
        )
    return found


def job(id: str) -> Job[object]:
    """The job of that id, number or beginning of an id.

    Raises:
        NoSuchJob: there is none, or several begin like that.
    """
    found = existing()
    ids = found.find(id)
    if len(ids) == 1:
        return Job(ids[0], found)
    what = f"{len(ids)} jobs begin with {id}" if ids else f"there is no job {id}"
    raise NoSuchJob(f"{what} in {found.place}")


def group(name: str) -> str:
    """The group of that name.

    Raises:
        UserError: there is none; names the nearest.
    """
    found = here()
    try:
        known = [queue.group for queue in found.queues()]
    except BrokerFault:
        return name  # whether there is one the broker knows, too
    if name not in known:
        hint = nearest(name, known) or f"; a worker makes it: penstock worker --group {name}"
        raise UserError(f"there is no group {name!r} in {found.place}{hint}")
    return name
