"""A supervisor over fake workers, for tests of everything around the worker."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import pytest

from penstock.observe.events import Event
from penstock.pipeline.plan import LinkPlan, Plan, StagePlan
from penstock.pipeline.reference import Reference
from penstock.runtime.policy.roster import Roster
from penstock.runtime.rundir import RunDir
from penstock.runtime.shm import Budget
from penstock.runtime.statedir import StateDir
from penstock.runtime.supervisor.supervisor import Supervisor

FAKE = Path(__file__).parent / "fake_worker.py"
PATIENCE = 60.0
"""Seconds after which something that should have happened has not."""

E = TypeVar("E", bound=Event)


@pytest.fixture(scope="session")
def fake_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An "interpreter" that runs the fake worker whatever file it is given."""
    path = tmp_path_factory.mktemp("bin") / "fake-python"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


class Stand:
    """One run of fake workers, with all events that came of it. ``async with`` runs it."""

    def __init__(self, plan: Plan, run_dir: RunDir, state_dir: StateDir, grace: float) -> None:
        self.heard: list[Event] = []
        self.run_dir = run_dir
        self._changed = asyncio.Event()
        self.supervisor = Supervisor(
            plan,
            run_dir=run_dir,
            state_dir=state_dir,
            budget=Budget(2**20),
            grace=grace,
            environ=os.environ,
            listeners=[self._hear],
        )

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.supervisor.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    def of(self, kind: type[E]) -> list[E]:
        """All events of one kind so far."""
        return [event for event in self.heard if isinstance(event, kind)]

    async def until(self, holds: Callable[[], object]) -> None:
        """Until ``holds()``, looked at after each event."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def event(self, kind: type[E], count: int = 1) -> E:
        """The ``count``-th event of one kind, as soon as it comes."""
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    async def end(self) -> Roster:
        """The roster when the run is over."""
        async with asyncio.timeout(PATIENCE):
            return await self.task

    def log(self, worker: str) -> str:
        """What a worker has printed: it prints what it is told."""
        stage, _, replica = worker.partition("/")
        return Path(self.supervisor.state_dir.log_path(stage, int(replica))).read_text()

    def _hear(self, event: Event) -> None:
        self.heard.append(event)
        self._changed.set()


StandMaker = Callable[..., Stand]


@pytest.fixture
def stand(fake_python: str, tmp_path: Path) -> Iterator[StandMaker]:
    """``stand(source="well", work="hang", ...)``: a chain of stages by what their code is called.

    The first is the source, the last the sink. ``replicas``, ``timeout``, ... change the middle stage.
    """
    base = tmp_path / "runs"
    base.mkdir(mode=0o700)
    made: list[RunDir] = []

    def make(*, grace: float = 5.0, rules: dict[str, object] | None = None, **codes: str) -> Stand:
        names = list(codes)
        kinds = ["source", *["stage"] * (len(names) - 2), "sink"]
        stages = [
            StagePlan(name, kind, Reference("/app", "app", codes[name]), interpreter=fake_python)
            for name, kind in zip(names, kinds, strict=True)
        ]
        if rules:
            fields = {name: getattr(stages[1], name) for name in stages[1].__struct_fields__}
            stages[1] = StagePlan(**{**fields, **rules})
        links = [LinkPlan(at, *pair) for at, pair in enumerate(pairwise(names))]
        made.append(RunDir(str(base), "test"))
        return Stand(Plan("test", stages, links), made[-1], StateDir(str(tmp_path / "state")), grace)

    yield make
    for run_dir in made:
        run_dir.remove()
