"""Where jobs are run: `penstock worker` in a process of its own, with a store of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from penstock.message.codec import Decoder, Encoder, join
from penstock.tasks.job import Attempt, JobRow, NewJob, Rules
from penstock.tasks.store import Store
from penstock.tasks.wake import WORK, ring

PATIENCE = 60.0
LOOK = 0.005
DYING_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]
"""Before a command: the kernel ends it with the process of the test, however that ends. (No ``preexec_fn``:
tests have threads.)"""
Found = TypeVar("Found")


def until(look: Callable[[], Found | None], what: str, *, within: float = PATIENCE) -> Found:
    """What ``look`` answers as soon as that is true."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, f"not within {within:g} s: {what}"
        time.sleep(LOOK)
    return found


def children(pid: int) -> list[int]:
    """The processes that it has started, and that live."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


OVERLAID = """
import json, sys
from penstock.cli import appfile
from penstock.runtime.run import run_foreground
from penstock.tasks import plan
path, tasks = appfile.tasks("app.py")
groups = plan.groups(tasks, json.loads(sys.argv[1]))
sys.exit(run_foreground(plan.plan("app", groups), app=str(path)))
"""


class Supervisor:
    """One `penstock worker`, or another command that runs jobs."""

    def __init__(
        self, desk: Path, command: list[str], *, before: Sequence[str] = (), **variables: str
    ) -> None:
        """``command``: what Python is to run. ``before``: words before that, like `unshare --mount`."""
        desk.mkdir(exist_ok=True)
        self.talk = desk / f"talk.{len(list(desk.glob('talk.*')))}"
        with self.talk.open("wb") as out:
            self.process = subprocess.Popen(
                [*DYING_WITH_US, *before, sys.executable, *command],
                cwd=desk,
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self.talk.read_text("utf-8")

    def until_said(self, part: str) -> None:
        """Wait for it."""
        until(lambda: part in self.said or self.process.poll() is not None, f"{part!r}: {self.said}")
        assert part in self.said, self.said

    def signal(self, number: signal.Signals = signal.SIGINT) -> None:
        """As from its terminal."""
        self.process.send_signal(number)

    def end(self, code: int = 0) -> str:
        """Wait for its end; what it has said."""
        assert self.process.wait(PATIENCE) == code, self.said
        return self.said

    def close(self) -> None:
        """Whatever happens."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Desk:
    """An app, its store, and those who run its jobs."""

    def __init__(self, directory: Path, app: str) -> None:
        self.directory = directory
        (directory / "app.py").write_text(app, encoding="utf-8")
        self.store = Store(str(directory / ".penstock" / "jobs.db"))
        self.jobs = directory / ".penstock" / "jobs"
        self._supervisors: list[Supervisor] = []

    def work(
        self, *arguments: str, app: str = "app.py", before: Sequence[str] = (), **variables: str
    ) -> Supervisor:
        """Start somebody who runs them."""
        command = ["-m", "penstock", "worker", *([app] if app else []), *arguments]
        return self._start(command, before, variables)

    def run(self, *arguments: str, app: str = "app.py", **variables: str) -> Supervisor:
        """Start its pipeline."""
        return self._start(["-m", "penstock", "run", app, *arguments], (), variables)

    def work_as(self, overlay: dict[str, dict[str, Any]]) -> Supervisor:
        """The same, with what is said of groups outside the code."""
        return self._start(["-c", OVERLAID, json.dumps(overlay)], (), {})

    def _start(self, command: list[str], before: Sequence[str], variables: dict[str, str]) -> Supervisor:
        found = Supervisor(self.directory, command, before=before, **variables)
        self._supervisors.append(found)
        return found

    def submit(self, task: str, *args: Any, group: str = "default", **rules: Any) -> str:
        """Hand one over; its id."""
        more = {key: rules.pop(key) for key in ("priority", "unique", "run_at") if key in rules}
        body = join([Encoder(None).encode([list(args), rules.pop("named", {})])])
        rules = {"backoff": 0.05, "grace": 5.0, **rules}
        job = NewJob(group=group, task=task, args=body, rules=Rules(**rules), **more)
        (id,) = self.store.submit([job])
        ring(str(self.jobs / "bells"), WORK)
        return id

    def cancel(self, id: str) -> str | None:
        """Have it end."""
        state = self.store.cancel(id)
        ring(str(self.jobs / "bells"), WORK)
        return state

    def resume(self, group: str) -> None:
        """Let it go on."""
        self.store.resume(group)
        ring(str(self.jobs / "bells"), WORK)

    def row(self, id: str) -> JobRow:
        """How it stands."""
        found = self.store.job(id)
        assert found is not None
        return found

    def until(self, id: str, *states: str) -> JobRow:
        """Wait until it is so."""

        def look() -> JobRow | None:
            row = self.row(id)
            return row if row.state in states else None

        try:
            return until(look, f"{id} is {' or '.join(states)}")
        except AssertionError as error:
            said = "\n".join(each.said for each in self._supervisors)
            raise AssertionError(f"{error}; it is {self.row(id)}\n{said}") from None

    def until_noted(self, name: str, count: int = 1) -> list[str]:
        """The lines that jobs have written to a file of the desk, once there are so many."""
        path = self.directory / name

        def look() -> list[str] | None:
            lines = path.read_text().splitlines() if path.exists() else []
            return lines if len(lines) >= count else None

        return until(look, f"{count} lines in {name}: {[each.said for each in self._supervisors]}")

    def result(self, id: str) -> Any:
        """What it gave, once it has."""
        self.until(id, "done", "dead", "cancelled")
        body = self.store.result(id)
        assert body is not None, (self.row(id), self.attempts(id))
        return Decoder().values(body, count=1)[0]

    def done(self, group: str = "default") -> int:
        """So many of a group are."""
        return self.store.depths().get(group, {}).get("done", 0)

    @property
    def everybody(self) -> str:
        """How the jobs stand, and what has been said so far, for who waits in vain."""
        return "\n".join([str(self.store.depths()), *(each.said for each in self._supervisors)])

    def attempts(self, id: str) -> list[Attempt]:
        """Those that have ended."""
        return self.store.attempts(id)

    def close(self) -> None:
        """End everybody."""
        for each in self._supervisors:
            each.close()
        self.store.close()


@contextmanager
def desk(directory: Path, app: str) -> Iterator[Desk]:
    """One, for a test."""
    found = Desk(directory, app)
    try:
        yield found
    finally:
        found.close()
