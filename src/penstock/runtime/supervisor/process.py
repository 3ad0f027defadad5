"""Runs in the supervisor: starting one worker's process, and learning of its end from the kernel.

The process is made by exec of the stage's own interpreter, never by fork: nothing of the supervisor's memory,
threads or open files goes with it but one end of a socket pair. It leads a session of its own, so that Ctrl-C
in the terminal reaches the supervisor alone and all that a worker starts can be killed with it. It must be
started by a thread that lives as long as the run: the kernel kills it when that *thread* ends (see ``boot``).
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from penstock.errors import EnvironmentFault
from penstock.pipeline.plan import StagePlan
from penstock.runtime import boot
from penstock.runtime.boot import LAYER
from penstock.runtime.policy.death import Death
from penstock.runtime.supervisor import usage
from penstock.runtime.supervisor.line import Line
from penstock.runtime.supervisor.usage import Usage
from penstock.runtime.sweep import VARIABLE

if TYPE_CHECKING:
    from penstock.environments.environment import Environment

NO_PROCESS = 71
"""The exit code that stands for a process that could not be made (EX_OSERR of sysexits)."""

FIRST_LOOK, LAST_LOOK = 0.001, 0.256
"""Seconds between looks at whether all that a worker had started is gone; doubled each time."""


def find_interpreter(stage: StagePlan, within: Environment | None = None) -> str:
    """The Python that runs ``stage``. Links are not followed: a virtual environment is known by its own path.

    Args:
        stage: Of the plan.
        within: Its environment, where it has named one.

    Raises:
        EnvironmentFault: there is none.
    """
    if within is not None:
        return within.python
    if stage.interpreter is None:
        return sys.executable
    from penstock.environments.interpreters import located  # costs start-up time, as all of that room

    try:
        return located(stage.interpreter)
    except EnvironmentFault as error:
        where = f"{stage.where}: " if stage.where else ""
        raise EnvironmentFault(
            f"{where}{stage.name} cannot run: {str(error).replace('the interpreter', 'its interpreter', 1)}; "
            "give the path of a Python 3.9 or newer that has pyzmq and msgspec"
        ) from None


def environment(
    stage: StagePlan,
    run_dir: str,
    inherited: Mapping[str, str],
    replica: int = 0,
    within: Environment | None = None,
) -> dict[str, str]:
    """What a worker of ``stage`` finds in its environment."""
    found = dict(inherited)
    if within is not None:
        found = {**within.surroundings(inherited), LAYER: within.brought}
    elif stage.interpreter is not None:
        from penstock.environments.surroundings import scrubbed  # as in ``find_interpreter``

        found = scrubbed(inherited)
    return {**found, **stage.variables, **_devices(stage, replica), VARIABLE: run_dir}


def _devices(stage: StagePlan, replica: int) -> dict[str, str]:
    """Which GPUs it sees. CUDA asks once, when it is loaded: so it must stand there before the process is."""
    if not stage.devices:
        return {}
    first = replica % stage.replicas * stage.share
    return {"CUDA_VISIBLE_DEVICES": ",".join(stage.devices[first : first + stage.share])}


class Child:
    """One process, from its start to its end."""

    host, parting, lost, oom, page, tally = "", "", False, False, None, None
    """What is otherwise with a guest, or with a worker on another host (see ``hosts.remote``)."""

    def __init__(
        self,
        command: list[str],
        *,
        env: Mapping[str, str],
        log: int,
        on_exit: Callable[[int], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Start ``command``; ``socket`` is our end of its control socket.

        Args:
            command: interpreter and options; the path of ``boot`` and its arguments are put behind.
            env: its environment, whole.
            log: a file descriptor that becomes its stdout and stderr.
            on_exit: called once in ``loop`` with the exit code, negative for a signal.
            loop: the running loop.

        Raises:
            OSError: no process could be made.
        """
        self.socket, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [*command, boot.__file__, str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            self.pid = self._process.pid
            # A pidfd names this very process for ever, and is readable from the instant it ends.
            self._pidfd = self._open_pidfd()
        except OSError:
            self.socket.close()
            raise
        finally:
            theirs.close()
        self._on_exit = on_exit
        self._telling: asyncio.TimerHandle | None = None
        self._loop = loop
        loop.add_reader(self._pidfd, self._ended)

    def make_line(self, loop: asyncio.AbstractEventLoop, **hearing: Any) -> Line:
        """What we say to each other; ``hearing`` as that of ``Line``."""
        return Line(self.socket, loop=loop, **hearing)

    def usage(self) -> Usage:
        """What it has used up to now."""
        return usage.of(self.pid)

    def terminate(self) -> None:
        """Ask it to end, and all it has started."""
        if self._pidfd >= 0:
            _signal_group(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill it and all it has started (unless that made itself a session of its own)."""
        if self._pidfd >= 0:
            _kill_group(self.pid)

    def abandon(self) -> None:
        """Kill it and wait for it here and now; nobody is told."""
        if self._telling is not None:
            self._telling.cancel()
        if self._pidfd >= 0:
            _kill_group(self.pid)
            self._process.wait()
            self._let_go()

    def _open_pidfd(self) -> int:
        try:
            return os.pidfd_open(self.pid)
        except OSError:  # too many open files: a process that cannot be watched must not be
            _kill_group(self.pid)
            self._process.wait()
            raise

    def _ended(self) -> None:
        # Its group goes first: until it is reaped its number cannot be given to anybody else.
        _kill_group(self.pid)
        self._let_go()
        self._tell(self._process.wait(), FIRST_LOOK)

    def _tell(self, exit: int, pause: float) -> None:
        """Say that it has ended, once all that it had started has, too: to be killed takes a moment. (Who
        is still there after the last look is a zombie that nobody reaps, and holds nothing.)"""
        if pause <= LAST_LOOK and _has_group(self.pid):
            self._telling = self._loop.call_later(pause, self._tell, exit, 2 * pause)
        else:
            self._on_exit(exit)

    def _let_go(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1


def _kill_group(pid: int) -> None:
    _signal_group(pid, signal.SIGKILL)


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # all of it has gone


def _has_group(pid: int) -> bool:
    """Whether any process is left of the group that it led."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody is there, and is not ours any more
    return True


def stillbirth(interpreter: str, error: OSError) -> Death:
    """No process: the interpreter's fault where it cannot be executed, else the machine's."""
    what = f"{error.strerror or error}"
    if isinstance(error, (FileNotFoundError, PermissionError)) or error.errno == errno.ENOEXEC:
        return Death(exit=NO_PROCESS, fault=f"its interpreter {interpreter} cannot be executed: {what}")
    return Death(exit=NO_PROCESS, stillborn=f"no process could be made: {what}")


def reap_strangers(known: set[int]) -> None:
    """As PID 1 we inherit every orphan of the container: let go of those that have ended and are not ours."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        # One of ours first in line will be reaped by its own pidfd, and then we are called again.
        if found is None or found.si_pid in known:
            return
        os.waitpid(found.si_pid, os.WNOHANG)


def adopt_orphans(crew: Mapping[int, Any], listeners: list[Callable[[Any], None]]) -> None:
    """As PID 1, from now on: let go of strangers that have ended, whenever something does."""

    def reap(*_: object) -> None:
        reap_strangers({member.child.pid for member in crew.values()})

    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, reap)
    listeners.append(reap)  # ours may have stood before strangers in the kernel's queue
