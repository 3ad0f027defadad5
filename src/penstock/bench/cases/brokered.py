"""Jobs over RabbitMQ, beside Celery and Dramatiq on the same broker, with the same care: what is submitted is
confirmed, what is done is acknowledged afterwards.

Each run sets up what it needs, begins with empty queues, and leaves none behind: of what one leaves the next
would have to get through first.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator

from penstock.bench.case import Case, Measure
from penstock.bench.cases import jobs
from penstock.bench.cases.jobs import APP, WORKERS, drained, fill, start_workers
from penstock.bench.stand import Reading, Run, Stand, patience
from penstock.errors import BrokerFault, PipelineFailed, UserError
from penstock.rabbitmq import topology
from penstock.rabbitmq.connection import Connection, connect
from penstock.rabbitmq.url import parse

RIVALS = "penstock.bench.rivals"
GROUP = "bench"


@contextlib.contextmanager
def brokered(stand: Stand) -> Iterator[Run]:
    """A run whose jobs go over the broker, with a hub.

    Raises:
        UserError: there is a hub already, whose jobs would be lost.
    """
    with _swept(stand.broker), stand.run() as run:
        run.variables["PENSTOCK_BROKER"] = run.trial.broker
        words = [sys.executable, "-m", "penstock", "broker", "init", run.trial.broker, "--group", GROUP]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PipelineFailed(f"penstock broker init: {done.stderr}")
        run.start("-m", "penstock", "hub")
        for _ in patience("the hub is not ready", run.output):
            if "ready" in run.output():
                break
        yield run


@contextlib.contextmanager
def _swept(url: str) -> Iterator[None]:
    """None of our queues before, and none afterwards."""
    asyncio.run(_sweep(url))
    try:
        yield
    finally:
        asyncio.run(_sweep(url, is_ours=True))


async def _sweep(url: str, *, is_ours: bool = False) -> None:
    connection = await connect(parse(url), name="penstock bench")
    try:
        if not is_ours and await _is_kept(connection):
            raise UserError(
                f"{connection.url} has a hub, and the benchmark deletes the queues of jobs:"
                " give it a virtual host of its own"
            )
        channel = await connection.channel()
        for queue in topology.topology([GROUP]).queues:
            await channel.delete_queue(queue.name)
    finally:
        await connection.close()


async def _is_kept(connection: Connection) -> bool:
    """Whether a hub is at work there."""
    try:
        _, hubs = await (await connection.channel()).depth(topology.CLAIMS)
    except BrokerFault:
        return False  # there are no queues yet
    return hubs > 0


def ours(stand: Stand, role: str) -> Reading:
    """How fast one process submits."""
    with brokered(stand) as run:
        run.start("-m", APP, role)
        return run.reading()


def ours_done(stand: Stand) -> Reading:
    """Recorded results per second, while two workers do what lies there."""
    with brokered(stand) as run, contextlib.closing(jobs.desk(run)) as found:
        fill(run, APP)
        start_workers(run)
        return {"rate": drained(run, lambda: jobs.done(found))}


def latency(stand: Stand) -> Reading:
    """From ``submit`` to the first line of the job, its worker being idle."""
    with brokered(stand) as run:
        start_workers(run)
        run.start("-m", APP, "latency")
        return run.reading()


def peer(name: str, role: str) -> Callable[[Stand], Reading]:
    """How fast one process of a peer submits."""

    def submits(stand: Stand) -> Reading:
        with stand.run() as run, _queue(run, name):
            run.start("-m", RIVALS, name, role)
            return run.reading()

    return submits


def peer_done(name: str, *command: str) -> Callable[[Stand], Reading]:
    """How fast its workers empty a queue. (What they hold unacknowledged is the same at the first tenth and
    at the last, so it does not matter.)"""

    def works(stand: Stand) -> Reading:
        with stand.run() as run, _queue(run, name) as waiting:
            fill(run, RIVALS, name)
            run.start("-m", *command)
            return {"rate": drained(run, lambda: run.trial.jobs - waiting())}

    return works


@contextlib.contextmanager
def _queue(run: Run, name: str) -> Iterator[Callable[[], int]]:
    from penstock.bench.rivals.waiting import Waiting

    with Waiting(run.trial.plain_broker, f"bench-{name}") as waiting:
        yield waiting.count


CELERY, DRAMATIQ = "Celery, acks_late", "Dramatiq, confirmed"

CASES = (
    Case(
        name="tasks-rabbitmq-submit",
        about="jobs submitted one by one, each confirmed",
        ours=lambda stand: ours(stand, "submit"),
        peers={DRAMATIQ: peer("dramatiq", "submit")},
        measures=(Measure(unit="jobs/s", peers=(DRAMATIQ,), target=1.0),),
    ),
    Case(
        name="tasks-rabbitmq-submit-many",
        about="jobs submitted a thousand at a time, confirmed",
        ours=lambda stand: ours(stand, "many"),
        peers={CELERY: peer("celery", "submit")},
        measures=(Measure(unit="jobs/s", peers=(CELERY,), target=5.0),),
    ),
    Case(
        name="tasks-rabbitmq-run",
        about="jobs that do nothing, 2 workers, acknowledged afterwards",
        ours=ours_done,
        peers={
            CELERY: peer_done(
                "celery", "celery", "-A", f"{RIVALS}.celerys", "worker", "-c", str(WORKERS), "-l", "error"
            ),
            DRAMATIQ: peer_done("dramatiq", "dramatiq", f"{RIVALS}.dramatiqs", "-p", str(WORKERS)),
        },
        measures=(
            Measure(unit="jobs/s", peers=(CELERY,), target=1.5),
            Measure(unit="jobs/s", peers=(DRAMATIQ,), target=0.7),
        ),
    ),
    Case(
        name="tasks-rabbitmq-latency",
        about="submit -> first line of the job in an idle worker",
        ours=latency,
        measures=(Measure(unit="ms p50", reading="milliseconds", better="less", target=10.0),),
    ),
)
