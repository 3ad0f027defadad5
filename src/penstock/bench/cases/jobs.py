"""Jobs: handed over, done, given to somebody else after a death, and waited for, beside other queues."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from penstock.bench.case import Case, Measure
from penstock.bench.cases.idle import SETTLE, share_of_a_core
from penstock.bench.stand import Reading, Run, Stand, patience
from penstock.tasks.home import Home
from penstock.tasks.job import NewJob, Rules
from penstock.tasks.local import LocalDesk
from penstock.tasks.store import Store

APP = "penstock.bench.apps.jobs"
HUEYS = ("penstock.bench.rivals", "huey")
WORKERS = 2
CYCLES = 200
"""Jobs submitted and claimed beside a backlog."""
CHUNK = 20_000
AT_ONCE = Rules(backoff=0.0)


def handed_over(stand: Stand, *words: str) -> Reading:
    """How fast one process submits."""
    with stand.run() as run:
        run.start("-m", *words)
        return run.reading()


# Done --------------------------------------------------------------------------------------------------


def ours_done(stand: Stand) -> Reading:
    """Results per second, while two workers do what lies there."""
    with stand.run() as run:
        fill(run, APP)
        with contextlib.closing(desk(run)) as found:
            start_workers(run)
            return {"rate": drained(run, lambda: done(found))}


def huey_done(stand: Stand) -> Reading:
    """The same of a Huey consumer with two processes."""
    with stand.run() as run:
        fill(run, *HUEYS)
        script = os.path.join(os.path.dirname(os.path.realpath(_huey())), "bin", "huey_consumer.py")
        run.start(script, "penstock.bench.rivals.hueys.huey", "-w", str(WORKERS), "-k", "process", "-q")
        with contextlib.closing(sqlite3.connect(run.trial.path("huey.db"), timeout=10)) as store:
            return {"rate": drained(run, lambda: int(store.execute("SELECT COUNT(*) FROM kv").fetchone()[0]))}


def _huey() -> str:
    import huey

    return str(huey.__file__)


def fill(run: Run, *module: str) -> None:
    """Have as many jobs lie there as are to be done."""
    run.start("-m", *module, "fill")
    run.reading()


def drained(run: Run, count: Callable[[], int]) -> float:
    """How many are done per second, from the first tenth to the last: starting and ending are not working."""
    first, last = run.trial.jobs // 10, run.trial.jobs * 9 // 10
    start: tuple[int, float] | None = None
    for _ in patience(f"{last} jobs are not done", run.output):
        found, now = count(), time.monotonic()
        if start is None and found >= first:
            start = found, now
        if start is not None and found >= last:
            return (found - start[0]) / (now - start[1])
    raise AssertionError("patience ends by raising")


def start_workers(run: Run, *arguments: str) -> int:
    """`penstock worker` with two of them, ready; its process id."""
    Path(run.trial.path("penstock.toml")).write_text(f"[group.bench]\nworkers = {WORKERS}\n", "utf-8")
    app = Path(run.trial.path("app.py"))
    app.write_text(f"from {APP} import begun, held, nothing\n", "utf-8")
    process = run.start("-m", "penstock", "worker", str(app), *arguments)
    for _ in patience("the workers are not ready", run.output):
        if f"{WORKERS}/{WORKERS} ready" in run.output():
            return process.pid
    raise AssertionError("patience ends by raising")


def desk(run: Run) -> LocalDesk:
    """Of the jobs of this run."""
    return LocalDesk(Home(run.trial.path("jobs.db")))


def done(found: LocalDesk) -> int:
    """How many are."""
    return sum(queue.counts.get("done", 0) for queue in found.queues())


# Found again, and waited for ---------------------------------------------------------------------------


def recovery(stand: Stand) -> Reading:
    """From kill -9 of a worker to the first line of its job in another one."""
    with stand.run() as run:
        start_workers(run)
        log = Path(run.trial.path("begun"))
        with contextlib.closing(desk(run)) as found:
            job = NewJob(group="bench", task="held", args=_packed(str(log)), rules=AT_ONCE)
            found.submit([job])
            _, victim = begun(run, log, 1)
            killed = time.monotonic_ns()
            os.kill(victim, signal.SIGKILL)
            at, _ = begun(run, log, 2)
            return {"milliseconds": (at - killed) / 1e6}


def begun(run: Run, log: Path, count: int) -> tuple[int, int]:
    """When and by whom the job was begun the ``count``-th time."""
    for _ in patience(f"the job was not begun {count} times", run.output):
        lines = log.read_text("ascii").splitlines() if log.exists() else []
        if len(lines) >= count:
            at, pid = lines[count - 1].split()
            return int(at), int(pid)
    raise AssertionError("patience ends by raising")


def latency(stand: Stand) -> Reading:
    """From ``submit`` to the first line of the job, its worker being idle."""
    with stand.run() as run:
        start_workers(run)
        run.start("-m", APP, "latency")
        return run.reading()


def idle(stand: Stand) -> Reading:
    """CPU time of supervisor and workers, in percent of one core."""
    with stand.run() as run:
        top = start_workers(run)
        time.sleep(SETTLE)
        return {"percent": 100 * share_of_a_core(top, stand.effort.watch)}


def backlog(stand: Stand, *, waiting: bool) -> Reading:
    """Milliseconds to submit a job and claim one, each on the disk when it is said to be."""
    with stand.run() as run, _store(run) as store:
        if waiting:
            store.db.execute("PRAGMA synchronous=OFF")
            for _ in range(0, stand.effort.backlog, CHUNK):
                store.submit([_job() for _ in range(min(CHUNK, stand.effort.backlog))])
            store.db.execute("PRAGMA synchronous=FULL")
        store.submit([_job()])
        return {"milliseconds": 1e3 * statistics.median(_cycle(store) for _ in range(CYCLES))}


def _cycle(store: Store) -> float:
    began = time.perf_counter()
    store.submit([_job()])
    store.claim("bench", "bench")
    return time.perf_counter() - began


def _job() -> NewJob:
    return NewJob(group="bench", task="nothing", args=b"", rules=AT_ONCE)


@contextlib.contextmanager
def _store(run: Run) -> Iterator[Store]:
    store = Store(run.trial.path("jobs.db"))
    try:
        yield store
    finally:
        store.close()


def _packed(*args: str) -> bytes:
    from penstock.tasks import freight

    return freight.packed([list(args), {}])


HUEY = "Huey, fsync"
EMPTY = "an empty store"

CASES = (
    Case(
        name="tasks-sqlite-submit",
        about="jobs submitted one by one, each on the disk",
        ours=lambda stand: handed_over(stand, APP, "submit"),
        peers={HUEY: lambda stand: handed_over(stand, *HUEYS, "submit")},
        measures=(Measure(unit="jobs/s", peers=(HUEY,), target=1.0),),
    ),
    Case(
        name="tasks-sqlite-run",
        about="jobs that do nothing, 2 workers, to the recorded result",
        ours=ours_done,
        peers={HUEY: huey_done},
        measures=(Measure(unit="jobs/s", peers=(HUEY,), target=1.0),),
    ),
    Case(
        name="tasks-recovery",
        about="kill -9 of a worker -> its job begun by another",
        ours=recovery,
        measures=(Measure(unit="ms", reading="milliseconds", better="less", target=100.0),),
    ),
    Case(
        name="tasks-latency",
        about="submit -> first line of the job in an idle worker",
        ours=latency,
        measures=(Measure(unit="ms p50", reading="milliseconds", better="less", target=5.0),),
    ),
    Case(
        name="tasks-backlog",
        about="submit and claim with 1,000,000 jobs waiting",
        ours=partial(backlog, waiting=True),
        peers={EMPTY: partial(backlog, waiting=False)},
        measures=(Measure(unit="ms", reading="milliseconds", better="less", peers=(EMPTY,), target=0.5),),
    ),
    Case(
        name="tasks-idle",
        about="supervisor and 2 workers without jobs",
        ours=idle,
        measures=(Measure(unit="% of a core", reading="percent", better="less", target=1.0),),
    ),
)
