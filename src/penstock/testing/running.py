"""``pipeline.running()``: real processes under a real supervisor, to be broken by a test.

The supervisor lives in a thread of the test's process, so it ends with it however that ends, and the kernel
takes the workers with it. The test talks to it by the control socket, as the command line does.
"""

from __future__ import annotations

import asyncio
import glob
import io
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from penstock.errors import EnvironmentFault, NotRunning, PenstockError, PipelineFailed, TimedOut, UserError
from penstock.pipeline.duration import Duration, seconds
from penstock.pipeline.fusion import host_of
from penstock.pipeline.nearest import nearest
from penstock.pipeline.plan import Plan
from penstock.runtime import client, statedir
from penstock.runtime.run import Foreground
from penstock.runtime.supervisor.account import LinkCount, Totals
from penstock.runtime.supervisor.console import Console
from penstock.settings import Settings
from penstock.tasks import letters
from penstock.tasks.home import beside
from penstock.testing.result import Dead, dead

LOOK = 0.01
"""Seconds between two looks at something that is waited for."""
ANSWER = 2.0
"""Seconds in which a supervisor that lives must answer."""
GOODBYE = 15.0
"""Seconds in which a supervisor that was cancelled must be gone."""

Found = TypeVar("Found")


class Running:
    """A pipeline in processes of its own, for the length of a ``with`` block.

    ::

        with pipeline.running() as run:
            run.wait_ready()
            run.kill("detect", 0)
            run.wait_idle(entered=100)
            assert run.totals.lost == 0

    Every wait has a time-out (that of ``running``, unless it is given one), and what is raised then, or when
    the pipeline fails, shows all that the pipeline has said and the ends of its workers' logs.
    """

    def __init__(
        self, plan: Plan, *, app: str, timeout: Duration, state_dir: str | os.PathLike[str] | None
    ) -> None:
        """Nothing is started before ``with``; see ``Pipeline.running``."""
        self.exit_code: int | None = None
        """Once it has ended: what ``penstock run`` would have answered with."""
        self._plan = plan
        self._app = app
        self._timeout = seconds(timeout)
        self._temporary = None if state_dir else tempfile.TemporaryDirectory(prefix="penstock-state-")
        self.state_dir = os.path.abspath(state_dir or (self._temporary.name if self._temporary else ""))
        """Where its logs and dead letters are."""
        self._talk = io.StringIO()
        self._contact: client.Run | None = None
        self._error: BaseException | None = None
        self._cancel: Callable[[], object] | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._live, name="penstock-supervisor", daemon=True)

    def __enter__(self) -> Self:
        """Start it; returns as soon as it can be talked to.

        Raises:
            PenstockError: it could not be started.
        """
        self._thread.start()
        try:
            self._contact = self._until(self._find, "take calls", None)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it now, if it has not ended. Nothing of it is left."""
        self._begun.wait(GOODBYE)
        if self._thread.is_alive() and self._cancel is not None:
            self._cancel()
        self._thread.join(GOODBYE)
        if self._temporary is not None:
            self._temporary.cleanup()
        if self._thread.is_alive():
            raise TimedOut(f"{self._plan.pipeline} did not end within {GOODBYE:g} s\n{self.story()}")

    # What it is waited for ---------------------------------------------------------------------------------

    def wait_ready(self, timeout: Duration | None = None) -> None:
        """Until every stage has all its replicas ready, or is through.

        Raises:
            TimedOut: it did not get there in time.
            PipelineFailed: it has failed.
        """
        self._until(self._is_ready, "get ready", timeout)

    def wait_idle(self, timeout: Duration | None = None, *, entered: int = 0) -> None:
        """Until all that was made is settled; and at least ``entered`` items were, by all sources together.

        (Say how many: a source that is about to make its first item is idle too.)

        Raises: as ``wait_ready``.
        """
        self._until(lambda: self._is_idle(entered), f"settle all (and at least {entered:,}) items", timeout)

    def wait_until(
        self, look: Callable[[], Found | None], what: str, timeout: Duration | None = None
    ) -> Found:
        """What ``look()`` answers as soon as that is true; ``what`` ends the sentence "it did not ...".

        Raises: as ``wait_ready``.
        """
        return self._until(look, what, timeout)

    def wait_ended(self, timeout: Duration | None = None) -> None:
        """Until it has ended by itself, and well.

        Raises: as ``wait_ready``.
        """
        self._until(lambda: self.exit_code is not None and not self._thread.is_alive(), "end", timeout)

    def drain(self, timeout: Duration | None = None) -> None:
        """Have it take nothing new, finish what is in flight, and end.

        Raises: as ``wait_ready``.
        """
        try:
            self._call("drain")
        except NotRunning:
            pass  # it has ended by itself
        self.wait_ended(timeout)

    # What is done to it ------------------------------------------------------------------------------------

    def kill(self, stage: str, replica: int = 0) -> None:
        """Kill one worker as the kernel does it (SIGKILL); returns when its supervisor has seen that.

        Raises:
            UserError: no such stage or replica is there.
            TimedOut: its death was not seen.
        """
        found = self._worker(stage, replica)
        os.kill(found["pid"], signal.SIGKILL)
        self._until(lambda: found["number"] not in self._numbers(), f"see that {found['worker']} died", None)

    def stall(self, stage: str, replica: int = 0) -> None:
        """Stop one worker without a word (SIGSTOP): it lives, and does nothing, until ``resume``.

        Raises:
            UserError: no such stage or replica is there.
        """
        os.kill(self._worker(stage, replica)["pid"], signal.SIGSTOP)

    def resume(self, stage: str, replica: int = 0) -> None:
        """Let one worker go on that was stalled.

        Raises:
            UserError: no such stage or replica is there.
        """
        os.kill(self._worker(stage, replica)["pid"], signal.SIGCONT)

    def scale(self, stage: str, replicas: int, timeout: Duration | None = None) -> None:
        """Give a stage another number of replicas; returns when they are ready and none too many is left.

        Raises:
            UserError: that cannot be.
            TimedOut: they were not ready in time.
        """
        self._call("scale", stage=stage, replicas=replicas)

        def reached() -> bool:
            found = next(each for each in self.ps()["stages"] if each["name"] == stage)
            return bool(found["ready"] == len(found["replicas"]) == replicas)

        self._until(reached, f"have {replicas} ready replicas of {stage}", timeout)

    # What is seen of it ------------------------------------------------------------------------------------

    def ps(self) -> dict[str, Any]:
        """Stages, workers and ledger, as ``penstock ps --json`` has them.

        Raises:
            NotRunning: it has ended.
        """
        return self._call("ps")

    @property
    def ledger(self) -> dict[str, LinkCount]:
        """What became of the items of each link, by its name: now, or when it ended."""
        return {row["link"]: msgspec.convert(row, LinkCount) for row in self._account()["links"]}

    @property
    def totals(self) -> Totals:
        """The same in one line."""
        found = self._account()["totals"]
        return Totals(**{name: found[name] for name in Totals._fields})

    @property
    def dead(self) -> list[Dead]:
        """Its dead letters, the oldest first."""
        home = beside(self.state_dir, os.environ)
        found = letters.of(home, os.path.join(self.state_dir, "dead"), self._plan.pipeline)
        return [dead(each, allow_pickle=self._plan.allow_pickle) for each in found]

    @property
    def said(self) -> str:
        """What it has said so far, as on a terminal."""
        return self._talk.getvalue()

    def story(self) -> str:
        """What it has said, and the ends of its workers' logs."""
        logs = sorted(glob.glob(os.path.join(self.state_dir, "logs", "*.log")))  # none, if it is gone by now
        tails = ((os.path.basename(path), statedir.tail(path, 0)) for path in logs)
        return "\n".join([self.said.rstrip(), *(f"--- {name}\n{tail}" for name, tail in tails if tail)])

    # Below -------------------------------------------------------------------------------------------------

    def _live(self) -> None:
        """In the supervisor's thread."""
        settings = Settings.read(os.environ)._replace(state_dir=self.state_dir)
        console = Console(self._plan, self._talk, environ={})
        foreground = Foreground(self._plan, app=self._app, settings=settings, console=console)

        async def run() -> int:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
            self._begun.set()
            return await foreground.run()

        try:
            foreground.provide()
            self.exit_code = asyncio.run(run())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001  told to whoever waits, in its thread
            self._error = error
        finally:
            self._begun.set()

    def _find(self) -> client.Run | None:
        found = [run for run in client.runs() if run.state_dir == self.state_dir and run.pid == os.getpid()]
        return found[0] if found else None

    def _call(self, verb: str, **arguments: Any) -> dict[str, Any]:
        assert self._contact is not None, "said in __enter__"
        end = time.monotonic() + self._timeout
        while self._thread.is_alive() and time.monotonic() < end:
            try:
                return client.call(self._contact, verb, within=ANSWER, **arguments)
            except client.RunGone:
                # It ends. A connection that its loop took at the very last is closed by nobody, as the
                # process goes on: hence the time-out.
                self._thread.join(LOOK)
        raise NotRunning(f"{self._plan.pipeline} has ended\n{self.story()}")

    def _account(self) -> dict[str, Any]:
        try:
            return self._call("ledger")
        except NotRunning:
            path = Path(self.state_dir, "run.json")
            if not path.exists():  # cut short by the end of the block
                raise
            found: dict[str, Any] = msgspec.json.decode(path.read_bytes())
            return found

    def _is_ready(self) -> bool:
        try:
            return self.ps()["state"] not in {"starting", "failed"}
        except NotRunning:
            return self.exit_code == 0  # it was, and is through

    def _is_idle(self, entered: int) -> bool:
        account = self._account()
        busy = any(row["in_flight"] or row["waiting"] for row in account["links"])
        return not busy and account["totals"]["entered"] >= entered

    def _numbers(self) -> set[int]:
        try:
            return {each["number"] for each in self._workers()}
        except NotRunning:
            return set()

    def _workers(self) -> list[dict[str, Any]]:
        return [each for one in self.ps()["stages"] for each in one["replicas"] if "pid" in each]

    def _worker(self, stage: str, replica: int) -> dict[str, Any]:
        found = {each["worker"]: each for each in self._workers()}
        label = f"{stage}/{replica}"
        if label not in found:
            host = host_of(self._plan, stage)
            if host:
                raise UserError(f"{stage!r} runs in the process of {host!r}: name that")
            raise UserError(f"there is no worker {label}{nearest(label, found)}")
        return found[label]

    def _until(self, look: Callable[[], Found | None], what: str, timeout: Duration | None) -> Found:
        limit = self._timeout if timeout is None else seconds(timeout)
        end = time.monotonic() + limit
        while True:
            ended = not self._thread.is_alive()  # asked first: then what is looked at is final
            self._raise_failure()
            if found := look():
                return found
            if ended:
                raise NotRunning(f"{self._plan.pipeline} has ended and did not {what}\n{self.story()}")
            if time.monotonic() > end:
                raise TimedOut(f"{self._plan.pipeline} did not {what} within {limit:g} s\n{self.story()}")
            time.sleep(LOOK)

    def _raise_failure(self) -> None:
        if self._error is not None:
            raise self._error
        if self.exit_code:
            kinds = (PipelineFailed, EnvironmentFault)
            kind = next((kind for kind in kinds if kind.exit_code == self.exit_code), PenstockError)
            raise kind(f"{self._plan.pipeline} ended with exit code {self.exit_code}\n{self.story()}")
