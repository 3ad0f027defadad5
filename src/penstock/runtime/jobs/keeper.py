"""Runs in the supervisor: where its jobs come from, and where it says what became of them.

There are two: the ``clerk``, for a store on this machine, and the ``courier``, for a broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from penstock.runtime.jobs.book import Request
from penstock.tasks.home import Home
from penstock.tasks.retention import USUAL, Keeping
from penstock.tasks.schedule import Scheduled


class Keeper(Protocol):
    """The jobs, as a supervisor reaches them. Belongs to its loop, and never has it wait."""

    def ask(self, request: Request) -> None:
        """Have it done, soon; ``then`` of the request is called when it is."""
        ...

    def hush(self, group: str) -> None:
        """No more of that group for now: what was wished for and has not come is taken back."""
        ...

    async def close(self) -> None:
        """Finish what is asked for, and leave."""
        ...


class Employer(NamedTuple):
    """Whom a keeper works for."""

    home: Home
    groups: Mapping[str, int]
    """With so many workers in each."""
    run_base: str
    """Where run directories are made."""
    on_change: Callable[[], None]
    """Called when it is time to look round."""
    on_trouble: Callable[[str], None]
    """Gets a sentence when nothing can be written, or nobody is reached; once until it can be."""
    schedules: Sequence[Scheduled] | None = None
    """Of these groups, if their code is known."""
    keeping: Keeping = USUAL
    """How long jobs that are over are kept."""
    gpus: Mapping[str, int] = {}
    """How many a worker of each group has; 0 where nothing is said."""
    unfenced: Sequence[str] = ()
    """Groups whose jobs are begun, too, while nobody keeps the store."""


async def hire(employer: Employer, broker: str) -> Keeper:
    """One, at work. ``broker``: the address of one; empty: jobs are kept on this machine.

    Raises:
        EnvironmentFault: the store cannot be opened, the broker cannot be used.
        OSError: there is no place for locks and bells beside the store.
        UserError: ``broker`` is no address, or a group cannot be one there.
    """
    if broker:
        from penstock.runtime.jobs.courier import Courier

        courier = Courier(employer, broker)
        await courier.open()
        return courier
    from penstock.runtime.jobs.clerk import Clerk

    return Clerk(employer, asyncio.get_running_loop())
