"""Runs in the supervisor of ``penstock run --reload``: new workers where files have changed.

A stage is concerned by a file if one of its workers has imported that: asked at the change, they look at
their ``sys.modules``, so a module that was imported late, or by another module, counts as well. Who is
concerned is replaced as by ``penstock restart``: the successor is ready before the old one drains, and what
does not start harms nobody. (``importlib.reload`` would leave alone all that old code has made.)

Nothing is renewed while a file cannot be compiled, or while the app is wired otherwise than it runs: a run
has the wiring it was started with.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from penstock.errors import EnvironmentFault
from penstock.pipeline.place import near
from penstock.runtime import control
from penstock.runtime.policy import stimulus
from penstock.runtime.supervisor.supervisor import Supervisor

PATIENCE = 1.0
"""Seconds in which a worker says what it has imported. Who holds the GIL that long is renewed unasked."""
STEP = 100
"""ms without a change after which those that came together are looked at."""


class App(NamedTuple):
    """What is reloaded."""

    file: str
    question: list[str]
    """The command that says how it is wired by now."""
    wired: str
    """What it has said before the start."""


def refuse_missing() -> None:
    """See that files can be watched here.

    Raises:
        EnvironmentFault: they cannot.
    """
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        cure = f"{sys.executable} -m pip install 'penstock[reload]'"
        raise EnvironmentFault(f"--reload needs watchfiles, which is not installed: {cure}") from None


class Reloader:
    """Watches the files below the app's directory, and below those its stages are imported from."""

    def __init__(self, supervisor: Supervisor, app: App, *, say: Callable[[str], None]) -> None:
        self._supervisor = supervisor
        self._app = app
        self._say = say
        roots = {stage.code.root for stage in supervisor.plan.stages} | {os.path.dirname(app.file)}
        self._roots = sorted(root for root in roots if root)
        self._pending: set[str] = set()
        """Files that have changed, and no worker has the new ones."""
        self._imports: dict[int, set[str]] = {}
        self._told = asyncio.Event()
        supervisor.on_imports = self._hear

    async def run(self) -> None:
        """Until it is cancelled."""
        from watchfiles import PythonFilter, awatch

        async for changes in awatch(*self._roots, watch_filter=PythonFilter(), step=STEP):
            self._pending |= {path for _, path in changes}
            await self._reload()

    async def _reload(self) -> None:
        if broken := _uncompiled(self._pending):
            self._say(f"{broken}; the old code goes on")
            return
        if self._app.file in self._pending and (why := await self._rewired()):
            self._say(why)
            return
        changed, self._pending = self._pending, set()
        for path in changed:
            _forget_bytecode(path)
        concerned = affected(await self._ask(), changed)
        renewed = self._ordered(concerned)
        if renewed:
            living = self._supervisor.roster.workers
            stages = dict.fromkeys(living[number].stage for number in renewed)
            files = ", ".join(sorted(map(near, changed)))
            self._say(f"{files} changed: new workers for {', '.join(stages)}")
            self._supervisor.tell(stimulus.Restart(tuple(renewed)))

    def _ordered(self, concerned: Iterable[int]) -> list[int]:
        """Those that live, groups last: whose turn comes after a group's waits for the jobs there."""
        roster = self._supervisor.roster
        stages = {
            number: roster.stages[roster.workers[number].stage]
            for number in concerned
            if number in roster.workers
        }
        return sorted(stages, key=lambda number: (stages[number].is_group, number))

    async def _rewired(self) -> str:
        """Why the app as it is now cannot be what runs; empty: it can."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "penstock", *self._app.question),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        name = near(self._app.file)
        if process.returncode:
            said = (error.decode(errors="replace").strip().splitlines() or [f"{name} cannot be read"])[-1]
            return f"{said.removeprefix('penstock: ')}; the old code goes on"
        if wiring(out.decode()) != wiring(self._app.wired):
            return f"{name}: its wires or knobs are others than those that run; start it anew to have them"
        return ""

    async def _ask(self) -> Mapping[int, set[str]]:
        """The files that each worker has imported; all, of one that does not answer."""
        workers = self._supervisor.roster.workers
        loaded = {number for number, worker in workers.items() if worker.ready_at is not None}
        self._imports = {}
        self._told.clear()
        for number in loaded:
            self._supervisor.send(number, control.Inquire(self._roots))
        try:
            async with asyncio.timeout(PATIENCE):
                while loaded & set(self._supervisor.crew) - set(self._imports):
                    await self._told.wait()
                    self._told.clear()
        except TimeoutError:
            pass
        # Who is about to load may have read the file before or after the change.
        return {number: self._imports.get(number, {EVERY}) for number, one in workers.items() if one.bound}

    def _hear(self, number: int, files: list[str]) -> None:
        self._imports[number] = set(files)
        self._told.set()


EVERY = "*"
"""In place of files: any of them may have been imported."""


def affected(imports: Mapping[int, set[str]], changed: Iterable[str]) -> set[int]:
    """The workers that have imported one of these files."""
    files = {os.path.realpath(path) for path in changed}
    return {number for number, mine in imports.items() if EVERY in mine or files & mine}


def wiring(document: str) -> Any:
    """What ``penstock graph --json`` says, without the lines in which it is written."""
    return _placeless(json.loads(document))


def _placeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _placeless(each) for key, each in value.items() if key != "where"}
    return [_placeless(each) for each in value] if isinstance(value, list) else value


def _uncompiled(paths: Iterable[str]) -> str:
    """Which file is no Python, where and why; empty: all are, or are gone."""
    for path in sorted(paths):
        try:
            with open(path, "rb") as file:
                compile(file.read(), path, "exec", dont_inherit=True)
        except OSError:
            continue  # it was removed
        except SyntaxError as error:
            return f"{near(path)}:{error.lineno}: {error.msg}"
        except ValueError as error:  # a zero byte
            return f"{near(path)}: {error}"
    return ""


def _forget_bytecode(path: str) -> None:
    """Python holds it for up to date by second and size: of two quick edits it would keep the first."""
    folder, name = os.path.split(path)
    stem = glob.escape(os.path.join(folder, "__pycache__", name.removesuffix(".py")))
    for stale in glob.glob(f"{stem}.*.pyc"):
        with contextlib.suppress(OSError):
            os.unlink(stale)
