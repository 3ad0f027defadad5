"""Runs in the supervisor: one run in the foreground, from Enter to the last line. All is wired here."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import TextIO

from penstock.config.file import nearest_file
from penstock.config.tasks import keeping
from penstock.errors import EnvironmentFault, PenstockError
from penstock.lifecycle import monotonic
from penstock.observe import events
from penstock.pipeline.place import near
from penstock.pipeline.plan import GROUP, Plan
from penstock.runtime import feeds, filing, process, rundir, shm, statedir, stimulus, strays, sweep, tenure
from penstock.runtime.account import total
from penstock.runtime.console import Console
from penstock.runtime.gauge import Speedometer
from penstock.runtime.jobs import Jobs
from penstock.runtime.journal import Journal
from penstock.runtime.reloader import App, Reloader
from penstock.runtime.roster import Roster
from penstock.runtime.rundir import RunDir
from penstock.runtime.server import Server
from penstock.runtime.shm import Budget
from penstock.runtime.statedir import StateDir
from penstock.runtime.supervisor import Supervisor
from penstock.runtime.view import Document, View
from penstock.settings import Settings
from penstock.tasks import home
from penstock.tasks.retention import USUAL
from penstock.tasks.schedule import Scheduled

WATCHED = 1.0
"""Seconds between two status lines on a terminal."""
UNWATCHED = 5.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENVIRONMENT, FAILED = 5, 1


def run_foreground(
    plan: Plan,
    *,
    app: str | None = None,
    resume: bool = False,
    settings: Settings | None = None,
    out: TextIO | None = None,
    lasting: float | None = None,
    record: str | None = None,
    reload: App | None = None,
    record_links: Collection[int] | None = None,
    schedules: Sequence[Scheduled] | None = None,
    broker: str = "",
) -> int:
    """Run ``plan`` here until it ends; the first Ctrl-C drains it, the second stops it, the third kills it.

    Args:
        plan: what to run.
        app: the file that declares it; its state directory lies beside it.
        resume: sources that take ``start`` go on from where the last run has come to.
        settings: by default those of the environment.
        out: where to talk; stderr by default.
        lasting: seconds after which it is drained; ``None``: when its sources are exhausted.
        record: the folder in which all that goes by its links is kept; ``None``: it is not.
        reload: what has new workers as soon as its files change; ``None``: nothing.
        record_links: the links that are kept, by their ids; ``None``: all.
        schedules: of the tasks of its groups; ``None``: their code is not known.
        broker: the address of what jobs go over; empty: they are kept on this machine, unless the plan draws
            from queues, which are where the app's jobs are.

    Returns:
        0 when all is through; 1 when the pipeline failed, 5 when an interpreter did; 130 or 143 when it was
        cut short by SIGINT or SIGTERM; the ``exit_code`` of what kept it from starting.
    """
    console = Console(plan, out or sys.stderr, environ=os.environ)
    try:
        foreground = Foreground(
            plan,
            app=app,
            resume=resume,
            settings=settings or Settings.read(os.environ),
            console=console,
            lasting=lasting,
            record=record,
            reload=reload,
            record_links=record_links,
            schedules=schedules,
            broker=broker,
        )
        return asyncio.run(foreground.run())
    except PenstockError as error:
        console.refuse(str(error))
        return error.exit_code


class Foreground:
    """One run with all it needs: directories, supervisor, control socket, signals, status line."""

    def __init__(
        self,
        plan: Plan,
        *,
        app: str | None,
        resume: bool = False,
        settings: Settings,
        console: Console,
        lasting: float | None = None,
        record: str | None = None,
        reload: App | None = None,
        record_links: Collection[int] | None = None,
        schedules: Sequence[Scheduled] | None = None,
        broker: str = "",
    ) -> None:
        """Nothing is made before ``run``."""
        self._lasting = lasting
        self._record = record
        self._reload = reload
        self._record_links = record_links
        self._schedules = schedules
        self._plan = plan
        self._resume = resume
        self._app = app
        self._settings = settings
        self._console = console
        self._signal: int = signal.SIGTERM
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_groups = any(stage.kind == GROUP for stage in plan.stages)
        directory = os.path.dirname(os.path.abspath(app or "app.py"))
        self._broker = broker or (home.broker(directory, os.environ) if feeds.queues(plan) else "")
        self._home = home.locate(directory, os.environ)
        """Where jobs are kept."""
        file = nearest_file(directory)
        self._keeping = keeping(file) if file else USUAL

    async def run(self) -> int:
        """From the sweep of dead runs to the removal of our own; the exit code."""
        began = monotonic()
        base = rundir.base_dir(self._settings.run_dir)
        rundir.secure(base)
        swept = [events.Swept(run=dead.run, processes=dead.processes) for dead in sweep.sweep(base)]
        run_dir = RunDir(base, self._plan.pipeline)
        lock: int | None = None
        try:
            state_dir = StateDir(statedir.locate(self._settings.state_dir, self._app, self._plan.pipeline))
            lock = tenure.take(self._plan, state_dir.path)
            return await self._run_in(run_dir, state_dir, began, swept)
        finally:
            run_dir.remove()
            if lock is not None:
                os.close(lock)

    async def _run_in(
        self, run_dir: RunDir, state_dir: StateDir, began: float, before: list[events.Swept]
    ) -> int:
        supervisor = self._supervisor(run_dir, state_dir)
        needs_jobs = self._has_groups or bool(feeds.queues(self._plan))
        jobs = (
            Jobs(supervisor, self._home, self._schedules, self._broker, self._keeping) if needs_jobs else None
        )
        journal = Journal(supervisor.state_dir.path, run_dir.name)
        supervisor.listeners.append(journal.hear)
        self._report_beginning(supervisor, before)
        view = View(supervisor, clock=monotonic)
        server = Server(supervisor, view, journal=journal)
        self._begin_recording(supervisor)
        restore = self._take_signals(supervisor)
        try:
            await self._open(server, supervisor)
            if jobs is not None:
                await jobs.start()
            self._tasks.add(asyncio.ensure_future(self._keep_status(supervisor, view)))
            if self._reload is not None:
                reloader = Reloader(supervisor, self._reload, say=self._console.say)
                self._tasks.add(asyncio.ensure_future(reloader.run()))
            if self._lasting is not None:
                self._tasks.add(asyncio.ensure_future(self._drain_after(supervisor, self._lasting)))
            roster = await supervisor.run()
        finally:
            for task in self._tasks:
                task.cancel()
            if jobs is not None:
                await jobs.close()
            await server.stop()
            restore()
        code = self._exit_code(roster, supervisor)
        self._keep(supervisor, view.summary(code))
        self._file_letters(supervisor)
        self._end(supervisor, took=monotonic() - began)
        return code

    async def _open(self, server: Server, supervisor: Supervisor) -> None:
        """Let others find and call us. First the socket: who finds the run may call it."""
        try:
            await server.start()
            self._describe(supervisor)
        except OSError as error:
            where = supervisor.run_dir.path
            raise EnvironmentFault(f"nothing can be written to {where}: {error.strerror}") from None

    def _supervisor(self, run_dir: RunDir, state_dir: StateDir) -> Supervisor:
        return Supervisor(
            self._plan,
            run_dir=run_dir,
            state_dir=state_dir,
            budget=Budget.of(run_dir.free_bytes(), self._settings.shm_budget),
            grace=self._settings.grace,
            environ=self._environ(),
            resume=self._resume,
            listeners=[self._console.hear],
        )

    def _environ(self) -> dict[str, str]:
        """Of workers: what they submit goes where their own jobs come from. (Not each Python that a stage may
        have can read ``penstock.toml``.)"""
        found = {**os.environ, home.VARIABLE: self._home.store}
        if self._broker:
            found[home.BROKER] = self._broker
        return found

    def _report_beginning(self, supervisor: Supervisor, swept: list[events.Swept]) -> None:
        """What is known before the first worker starts."""
        supervisor.report(*swept, *strays.keep(supervisor.state_dir.path, supervisor.plan))
        self._file_letters(supervisor)
        run_dir = supervisor.run_dir
        if shm.is_low(free := run_dir.free_bytes()):
            supervisor.report(events.SharedMemoryLow(path=run_dir.path, free=free))

    def _file_letters(self, supervisor: Supervisor) -> None:
        if trouble := filing.file(supervisor.state_dir.path, os.environ):
            self._console.line(trouble)

    def _describe(self, supervisor: Supervisor) -> None:
        supervisor.run_dir.describe(
            pipeline=self._plan.pipeline,
            pid=os.getpid(),
            started=time.time(),
            app=os.path.abspath(self._app) if self._app else "",
            state_dir=supervisor.state_dir.path,
        )

    def _begin_recording(self, supervisor: Supervisor) -> None:
        if self._record is not None:
            every = [link.id for link in self._plan.links]
            links = every if self._record_links is None else self._record_links
            supervisor.recordings.begin(os.path.abspath(self._record), links, from_start=True)

    # Signals ---------------------------------------------------------------------------------------------

    def _take_signals(self, supervisor: Supervisor) -> Callable[[], None]:
        """Ours while the run lasts; the answer gives them back. Outside the main thread there are none."""
        loop = asyncio.get_running_loop()
        taken = []
        for number in SIGNALS:
            if signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup, and shells that start us in the background without job control
            try:
                loop.add_signal_handler(number, self._interrupt, supervisor, number)
            except (RuntimeError, ValueError):
                break
            taken.append(number)
        if os.getpid() == 1 and threading.current_thread() is threading.main_thread():
            self._adopt_orphans(supervisor)

        def give_back() -> None:
            for number in taken:
                loop.remove_signal_handler(number)

        return give_back

    def _interrupt(self, supervisor: Supervisor, number: int) -> None:
        self._signal = number
        supervisor.tell(stimulus.Interrupt())

    @staticmethod
    async def _drain_after(supervisor: Supervisor, seconds: float) -> None:
        await asyncio.sleep(seconds)
        supervisor.tell(stimulus.Drain())

    @staticmethod
    def _adopt_orphans(supervisor: Supervisor) -> None:
        def reap(*_: object) -> None:
            process.reap_strangers({member.child.pid for member in supervisor.crew.values()})

        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, reap)
        supervisor.listeners.append(reap)  # ours may have stood before strangers in the kernel's queue

    # What the user sees ----------------------------------------------------------------------------------

    async def _keep_status(self, supervisor: Supervisor, view: View) -> None:
        speed = Speedometer(monotonic())
        while True:
            await asyncio.sleep(WATCHED if self._console.live else UNWATCHED)
            view.look()
            if supervisor.jobs is not None and self._has_groups:
                self._console.status_of_jobs(supervisor.jobs.summary)
                continue
            counts = supervisor.balance()
            self._console.status(speed.read(total(self._plan, counts), counts, monotonic()))

    def _keep(self, supervisor: Supervisor, summary: Document) -> None:
        try:
            supervisor.state_dir.keep(summary)
        except OSError as error:
            where = near(supervisor.state_dir.path)
            self._console.line(f"how the run ended could not be kept in {where}: {error.strerror}")

    def _exit_code(self, roster: Roster, supervisor: Supervisor) -> int:
        if roster.failure is not None:
            return ENVIRONMENT if roster.failure.environment else FAILED
        if roster.cut_short:
            return 128 + self._signal
        return FAILED if supervisor.totals().lost else 0

    def _end(self, supervisor: Supervisor, *, took: float) -> None:
        totals = supervisor.totals()
        failure = supervisor.roster.failure
        sentence = failure.cause if failure else ""
        if totals.lost and not sentence:
            sentence = f"{totals.lost} items are lost: that is a fault in penstock; please report it"
        if supervisor.jobs is not None and self._has_groups:
            self._console.end_of_jobs(supervisor.jobs.summary, took=took, failure=sentence)
            return
        self._console.end(
            supervisor.balance(),
            totals,
            took=took,
            letters=near(filing.store(supervisor.state_dir.path, os.environ)),
            failure=sentence,
        )
