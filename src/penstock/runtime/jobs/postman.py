"""Runs in the supervisor: publishes what it has to say over a broker.

That the broker has no queue for something is said to people once, with the cure. Whoever wanted it said tries
again, and keeps what it was about until then.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from penstock.errors import Unroutable
from penstock.rabbitmq import letters, talk, topology
from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.session import Session


class Postman:
    """That of one courier."""

    def __init__(self, session: Session, trouble: Callable[[str], None]) -> None:
        """``trouble`` gets sentences for people."""
        self._session = session
        self._trouble = trouble
        self._missing: set[tuple[str, str]] = set()
        """Exchanges and keys for which there is no queue, and people know it."""

    async def post(self, letter: Letter) -> None:
        """A copy on its way: to the longest rung that is not longer than its pause.

        Raises:
            Unroutable: there is no queue for it.
        """
        pause = letter.due - time.time() * 1000
        rung = topology.rung_for(pause) if pause >= topology.RUNGS[0].pause else None
        exchange, name = (topology.RETRY, rung.name) if rung else (topology.JOBS, topology.AT_ONCE)
        await self._publish(exchange, topology.retry_key(name, letter.job.group), letters.sealed(letter))

    async def report(self, group: str, kind: str, body: bytes) -> None:
        """Something of a group, for the hub.

        Raises:
            Unroutable: there is no queue for it. Only an active hub has one for progress and logs.
        """
        key = topology.event_key(group, kind)
        message = Message(type=f"penstock.{kind}/1", body=body)
        if kind in topology.LIVE:
            await self._session.publish(topology.EVENTS, key, message)
        else:
            await self._publish(topology.EVENTS, key, message)

    async def give_back(self, letter: Letter) -> None:
        """A job, for a hub that has lost it.

        Raises:
            Unroutable: there is no queue for it.
        """
        key = topology.event_key(letter.job.group, talk.RETURNED)
        await self._publish(topology.EVENTS, key, letters.sealed(letter))

    async def _publish(self, exchange: str, key: str, message: Message) -> None:
        try:
            await self._session.publish(exchange, key, message)
        except Unroutable as error:
            if (exchange, key) not in self._missing:
                self._missing.add((exchange, key))
                self._trouble(f"{error}; it is tried again: have penstock broker init declare it")
            raise
        self._missing.discard((exchange, key))
