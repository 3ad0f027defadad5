"""Runs in the agent: where the workers of one stay live: code, environments, run directory, processes."""

from __future__ import annotations

import asyncio
import glob
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from penstock.errors import PenstockError
from penstock.pipeline.plan import Plan
from penstock.runtime import control, hostwire, rundir, shm, statedir, sweep
from penstock.runtime.agent import gpus
from penstock.runtime.agent.gpus import Gpus
from penstock.runtime.agent.inquiry import Inquiry
from penstock.runtime.agent.porter import Porter
from penstock.runtime.agent.ward import Ward
from penstock.runtime.oom import OomWatch
from penstock.runtime.rundir import RunDir
from penstock.runtime.statedir import StateDir
from penstock.runtime.supervisor import process, provision
from penstock.runtime.supervisor.crew import log_size
from penstock.runtime.supervisor.process import NO_PROCESS, Child
from penstock.settings import Settings

if TYPE_CHECKING:
    from penstock.environments.environment import Environment

STAY = "stay.json"
"""In the run directory: what a next agent has to know if this one is killed."""


def left_behind(base: str, endpoint: str, name: str) -> str:
    """The token of the stay of an agent that was killed here, joined to the same run by the same name; empty:
    there was none. (The run need not wait until it misses that one.)"""
    for path in glob.glob(os.path.join(glob.escape(base), "*", STAY)):
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            found = json.loads(Path(path).read_text("utf-8"))
            mine = (found["endpoint"], found["name"]) == (endpoint, name)
            if mine and not rundir.is_alive(os.path.dirname(path)):
                return str(found["token"])
    return ""


class Quarters:
    """Of one stay: made when all is ready, and cleared when it is over."""

    def __init__(
        self,
        welcome: hostwire.Welcome,
        plan: Plan,
        environments: Mapping[str, Environment],
        *,
        settings: Settings,
        environ: Mapping[str, str],
        say: Callable[[msgspec.Struct], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Make the directories.

        Raises:
            EnvironmentFault: that cannot be done.
            UserError: sockets find no room in the path.
        """
        base = rundir.base_dir(settings.run_dir)
        rundir.secure(base)
        sweep.sweep(base)
        self.run_dir = RunDir(base, welcome.pipeline)
        try:
            near = statedir.locate(settings.state_dir, None, welcome.pipeline)
            self.state_dir = StateDir(os.path.join(near, "hosts", welcome.name))
        except BaseException:
            self.run_dir.remove()
            raise
        self.shm = shm.Budget.of(self.run_dir.free_bytes(), settings.shm_budget).total
        self.wards: dict[int, Ward] = {}
        self.inquiry = Inquiry(self.run_dir.path, say)
        self.porter = Porter(self.run_dir.path, self.state_dir.path, say)
        self._plan = plan
        self._environments = environments
        self._environ = environ
        self._say = say
        self._loop = loop
        self._oom = OomWatch()
        self._gpus = Gpus(gpus.found(environ))

    def note(self, **facts: str) -> None:
        """Keep what ``left_behind`` reads."""
        Path(self.run_dir.path, STAY).write_text(json.dumps(facts), "utf-8")

    def start(self, said: hostwire.Start) -> None:
        """Make a process; tell how that went."""
        try:
            child = self._child(said)
        except (OSError, PenstockError, KeyError) as error:
            self._gpus.free(said.number)
            self._say(hostwire.Ended(said.number, NO_PROCESS, stillborn=f"no process could be made: {error}"))
            return
        log = self.state_dir.log_path(said.stage, said.replica)
        self.wards[said.number] = Ward(
            said.number,
            child,
            page=control.paths(self.run_dir.path, said.number)[2],
            tally=control.topic_paths(self.run_dir.path, said.number)[1],
            log=log,
            log_start=self._log_start,
            say=self._say,
            loop=self._loop,
        )
        self._say(hostwire.Started(said.number, child.pid))

    def _child(self, said: hostwire.Start) -> Child:
        stage = self._plan.stage(said.stage)
        within = self._environments.get(stage.env) if stage.env else None
        command = [process.find_interpreter(stage, within), "-s", "-X", "faulthandler"]
        inherited = {**self._environ, **said.variables}
        env = process.environment(stage, self.run_dir.path, inherited, said.replica, within)
        env.update(self._gpus.take(said.number, stage))
        self._log_start = log_size(self.state_dir.log_path(said.stage, said.replica))
        log = self.state_dir.open_log(said.stage, said.replica)
        try:
            return Child(
                command, env=env, log=log, on_exit=partial(self._exited, said.number), loop=self._loop
            )
        finally:
            os.close(log)

    def tell(self, said: hostwire.Speak) -> None:
        """Say that to a worker, if it is there."""
        if ward := self.wards.get(said.number):
            ward.tell(said.data)

    def kill(self, said: hostwire.Kill) -> None:
        """Kill a worker, if it is there."""
        if ward := self.wards.get(said.number):
            ward.child.kill()

    def look(self) -> None:
        """Tell what is new of all."""
        for ward in self.wards.values():
            ward.look()
        self.porter.look()

    def _exited(self, number: int, exit: int) -> None:
        self.porter.look()  # its letters are offered before its end is told
        self._gpus.free(number)
        self.wards.pop(number).ended(exit, self._oom)
        self.run_dir.forget(number)

    def clear(self) -> None:
        """Kill who is left, and leave nothing behind."""
        self.inquiry.close()
        for ward in self.wards.values():
            ward.child.abandon()
            ward.close()
        self.wards.clear()
        self.porter.close()
        sweep.kill_descendants(self.run_dir.path)
        self.run_dir.remove()
        provision.release(self._environments)
