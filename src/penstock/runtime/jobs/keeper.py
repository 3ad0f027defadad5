"""Runs in the supervisor: where its jobs come from, and where it says what became of them.

There are two: the ``clerk``, for a store on this machine, and the ``courier``, for a broker.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from penstock.runtime.jobs.book import Request
from penstock.runtime.jobs.employer import Employer


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
