"""Runs in the supervisor: one run in the foreground, from Enter to the last line. All is wired here."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, TextIO

from penstock.config.file import nearest_file
from penstock.config.tasks import keeping
from penstock.errors import EnvironmentFault, PenstockError
from penstock.lifecycle import monotonic
from penstock.observe import events
from penstock.pipeline.place import near
from penstock.pipeline.plan import GROUP, Plan
from penstock.runtime import rundir, shm, statedir, sweep
from penstock.runtime.policy import stimulus
from penstock.runtime.policy.roster import Roster
from penstock.runtime.rundir import RunDir
from penstock.runtime.shm import Budget
from penstock.runtime.statedir import StateDir
from penstock.runtime.supervisor import process, provision, tenure
from penstock.runtime.supervisor.account import total
from penstock.runtime.supervisor.console import Console
from penstock.runtime.supervisor.gauge import Speedometer
from penstock.runtime.supervisor.journal import Journal
from penstock.runtime.supervisor.provision import USUAL_TERMS, Terms
from penstock.runtime.supervisor.server import Server
from penstock.runtime.supervisor.supervisor import Supervisor
from penstock.runtime.supervisor.view import Document, View
from penstock.settings import Settings
from penstock.tasks import home
from penstock.tasks.keeping import USUAL

if TYPE_CHECKING:
    from penstock.environments.environment import Environment
    from penstock.runtime.hosts.listening import Listen, Listening
    from penstock.runtime.jobs.jobs import Jobs
    from penstock.runtime.supervisor.reloader import App
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
    terms: Terms = USUAL_TERMS,
    listen: Listen | None = None,
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
        terms: on which the environments that stages name are made ready.
        listen: where other hosts may join; ``None``: nowhere.

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
            listen=listen,
        )
        foreground.provide(terms)
        return asyncio.run(foreground.run())
    except KeyboardInterrupt:  # while environments are made; later it is a signal like others
        return 128 + signal.SIGINT
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
        listen: Listen | None = None,
    ) -> None:
        """Nothing is made before ``run``."""
        self._listen = listen
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
        self._environments: dict[str, Environment] = {}
        self._has_groups = any(stage.kind == GROUP for stage in plan.stages)
        self._has_flow = any(stage.kind != GROUP for stage in plan.stages)
        self._directory = directory = os.path.dirname(os.path.abspath(app or "app.py"))
        self._broker = broker or (home.broker(directory, os.environ) if plan.queues else "")
        self._home = home.locate(directory, os.environ)
        """Where jobs are kept."""
        file = nearest_file(directory)
        self._keeping = keeping(file) if file else USUAL

    def provide(self, terms: Terms = USUAL_TERMS) -> None:
        """Make the environments ready that its stages name; what is missing is built. Nothing is started yet.

        Raises:
            PenstockError: one is described or locked wrong, or cannot be made.
        """
        self._environments = provision.provide(
            self._plan, self._directory, os.environ, terms, self._console.line
        )

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
            provision.release(self._environments)
            if lock is not None:
                os.close(lock)

    async def _run_in(
        self, run_dir: RunDir, state_dir: StateDir, began: float, before: list[events.Swept]
    ) -> int:
        supervisor = self._supervisor(run_dir, state_dir)
        supervisor.provide = provision.later(self._environments, self._directory, self._console.line)
        jobs = self._jobs(supervisor)
        journal = Journal(supervisor.state_dir.path, run_dir.name)
        supervisor.listeners.append(journal.hear)
        self._report_beginning(supervisor, before)
        view = View(supervisor, clock=monotonic)
        server = Server(supervisor, view, journal=journal)
        listening = self._listening(supervisor, server)
        self._begin_recording(supervisor)
        restore = self._take_signals(supervisor)
        try:
            await self._open(server, supervisor)
            if listening is not None:
                listening.start()
            if jobs is not None:
                await jobs.start()
            self._tasks.add(asyncio.ensure_future(self._keep_status(supervisor, view)))
            if self._reload is not None:
                from penstock.runtime.supervisor.reloader import Reloader

                reloader = Reloader(supervisor, self._reload, say=self._console.say)
                self._tasks.add(asyncio.ensure_future(reloader.run()))
            if self._lasting is not None:
                self._tasks.add(asyncio.ensure_future(self._drain_after(supervisor, self._lasting)))
            roster = await supervisor.run()
        finally:
            for task in self._tasks:
                task.cancel()
            if listening is not None:
                await listening.close()
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
            environ=self._environ(run_dir),
            resume=self._resume,
            listeners=[self._console.hear],
            environments=self._environments,
        )

    def _jobs(self, supervisor: Supervisor) -> Jobs | None:
        """Who runs jobs, if there are any: else all that belongs to them is not even imported."""
        if not self._plan.has_jobs:
            return None
        from penstock.runtime.jobs.jobs import Jobs

        return Jobs(supervisor, self._home, self._schedules, self._broker, self._keeping)

    def _listening(self, supervisor: Supervisor, server: Server) -> Listening | None:
        """What other hosts join by; most runs need nothing of it."""
        if self._listen is None:
            return None
        from penstock.runtime.hosts.listening import Listening

        app = self._app or "app.py"
        return Listening(supervisor, self._listen, app, self._console.line, answer=server.answer)

    def _environ(self, run_dir: RunDir) -> dict[str, str]:
        """Of workers: what they submit goes where their own jobs come from. (Not each Python that a stage may
        have can read ``penstock.toml``.)"""
        found = {**os.environ, home.VARIABLE: self._home.store}
        if self._home.shared:
            found[home.FILES] = self._home.shared
        if self._broker:
            found[home.BROKER] = self._broker
        if not found.get(home.BROKER):
            return found
        from penstock.runtime.jobs import passwords

        return passwords.hidden(found, run_dir.path)

    def _report_beginning(self, supervisor: Supervisor, swept: list[events.Swept]) -> None:
        """What is known before the first worker starts."""
        supervisor.report(*swept)
        if supervisor.state_dir.has_letters:
            from penstock.runtime.supervisor import strays

            supervisor.report(*strays.keep(supervisor.state_dir.path, supervisor.plan))
        self._file_letters(supervisor)
        run_dir = supervisor.run_dir
        if shm.is_low(free := run_dir.free_bytes()):
            supervisor.report(events.SharedMemoryLow(path=run_dir.path, free=free))

    def _file_letters(self, supervisor: Supervisor) -> None:
        if not supervisor.state_dir.has_letters:
            return
        from penstock.runtime.supervisor import filing

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
            process.adopt_orphans(supervisor.crew, supervisor.listeners)

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

    # What the user sees ----------------------------------------------------------------------------------

    async def _keep_status(self, supervisor: Supervisor, view: View) -> None:
        speed = Speedometer(monotonic())
        while True:
            await asyncio.sleep(WATCHED if self._console.live else UNWATCHED)
            view.look()
            summary = supervisor.jobs.summary if supervisor.jobs is not None and self._has_groups else ""
            if not self._has_flow:
                self._console.status_of_jobs(summary)
                continue
            counts = supervisor.balance()
            self._console.status(speed.read(total(self._plan, counts), counts, monotonic()), beside=summary)

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
        if supervisor.has_topics:
            self._console.end_of_topics(supervisor.topics.rows()["subscriptions"])
        failure = supervisor.roster.failure
        sentence = failure.cause if failure else ""
        if totals.lost and not sentence:
            sentence = f"{totals.lost} items are lost: that is a fault in penstock; please report it"
        if supervisor.jobs is not None and self._has_groups:
            self._console.end_of_jobs(
                supervisor.jobs.summary, took=took, failure="" if self._has_flow else sentence
            )
        if not self._has_flow:
            return
        self._console.end(
            supervisor.balance(),
            totals,
            took=took,
            letters=near(home.beside(supervisor.state_dir.path, os.environ).store),
            failure=sentence,
        )
