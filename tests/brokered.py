"""Jobs over RabbitMQ: a hub, and supervisors that share nothing with it but the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock.cli.main import answer
from penstock.message.codec import Encoder, join
from penstock.rabbitmq import letters, topology
from penstock.rabbitmq.connection import connect
from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import parse
from penstock.tasks.job import JobRow, NewJob, Rules, wall
from penstock.tasks.store import Store
from tests.jobs import Desk, Supervisor, until


class BrokerDesk(Desk):
    """A desk whose jobs go over a broker. The store is the hub's, and looked at from here."""

    def __init__(self, directory: Path, app: str, broker: str, groups: Sequence[str] = ("default",)) -> None:
        super().__init__(directory, app)
        self.store.close()
        self.broker = broker
        self.hub_directory = directory / "hub"
        self.hub_directory.mkdir()
        self.store = Store(str(self.hub_directory / ".penstock" / "jobs.db"))
        words = [word for group in groups for word in ("--group", group)]
        assert answer(["broker", "init", broker, *words]) == 0
        self.hub = self.keep()

    def keep(self) -> Supervisor:
        """Start a hub, and wait until it is the one."""
        self.start_hub().until_said("keeps the store of jobs")
        return self.hub

    def start_hub(self, *arguments: str, before: Sequence[str] = (), **variables: str) -> Supervisor:
        """Start one more."""
        command = ["-m", "penstock", "hub", *arguments]
        variables = {"PENSTOCK_BROKER": self.broker, **variables}
        self.hub = Supervisor(self.hub_directory, command, before=before, **variables)
        self._supervisors.append(self.hub)
        return self.hub

    def work(
        self, *arguments: str, app: str = "app.py", before: Sequence[str] = (), **variables: str
    ) -> Supervisor:
        """Start somebody who runs them."""
        variables = {"PENSTOCK_BROKER": self.broker, **variables}
        return super().work(*arguments, app=app, before=before, **variables)

    def submit(self, task: str, *args: Any, group: str = "default", **rules: Any) -> str:
        """Hand one over; its id."""
        body = join([Encoder(None).encode([list(args), rules.pop("named", {})])])
        more = {key: rules.pop(key) for key in ("unique", "run_at", "id") if key in rules}
        rules = {"backoff": 0.05, "grace": 5.0, **rules}
        job = NewJob(group=group, task=task, args=body, rules=Rules(**rules), **more)
        key = topology.later_key(group) if job.run_at else group
        self.publish((topology.JOBS, key, letters.sealed(Letter(job, wall()))))
        return job.id

    def cancel(self, id: str) -> str | None:
        """Have it end, by way of the hub."""
        assert answer(["tasks", "cancel", id, "--broker", self.broker]) == 0
        return self.row(id).state

    def resume(self, group: str) -> None:
        """Let it go on, by way of the hub."""
        assert answer(["tasks", "resume", group, "--broker", self.broker]) == 0

    def submit_many(self, task: str, count: int, **rules: Any) -> list[str]:
        """So many, each with its number."""
        jobs = [
            NewJob("default", task, join([Encoder(None).encode([[number], {}])]), rules=Rules(**rules))
            for number in range(count)
        ]
        self.publish(*((topology.JOBS, "default", letters.sealed(Letter(job, wall()))) for job in jobs))
        return [job.id for job in jobs]

    def publish(self, *messages: tuple[str, str, Message]) -> None:
        """Have the broker keep them."""

        async def act() -> None:
            connection = await connect(parse(self.broker), name="test")
            channel = await connection.channel()
            await asyncio.gather(*(channel.publish(*each) for each in messages))
            await connection.close()

        asyncio.run(act())

    def row(self, id: str) -> JobRow:
        """How it stands, as soon as the hub knows of it."""
        return until(lambda: self.store.job(id), f"the hub has {id}: {self.hub.said}")

    def depth(self, queue: str) -> int:
        """So many messages are ready there."""

        async def act() -> int:
            connection = await connect(parse(self.broker), name="test")
            found = await (await connection.channel()).declare_queue(queue, passive=True)
            await connection.close()
            return found

        return asyncio.run(act())


@contextmanager
def broker_desk(
    directory: Path, app: str, broker: str, groups: Sequence[str] = ("default",)
) -> Iterator[BrokerDesk]:
    """One, for a test."""
    found = BrokerDesk(directory, app, broker, groups)
    try:
        yield found
    finally:
        found.close()
