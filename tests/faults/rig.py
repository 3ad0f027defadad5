"""Where pipelines are broken: real processes, a directory of their own, and a last look round."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from penstock.errors import NotRunning
from penstock.message.letter import Letter
from penstock.runtime import client
from penstock.tasks import letters
from penstock.tasks.home import beside

APPS = Path(__file__).resolve().parent / "apps"
PENSTOCK = [sys.executable, "-m", "penstock"]
LOOK = 0.003
"""Seconds between two looks at something that is waited for."""
PATIENCE = 90.0
ARRIVAL = 100.0
"""Seconds in which items arrive, or a command answers: what the dead have left goes out one by one, and a
machine may be busy."""
GOODBYE = 10.0
"""Seconds in which nothing of a run may be left, once its supervisor has ended, however it did."""
NAMESPACE = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--map-root-user", "--mount"]

Found = TypeVar("Found")


def until(look: Callable[[], Found | None], what: str, *, within: float = PATIENCE) -> Found:
    """What ``look`` answers as soon as that is true; an error that says ``what`` never was."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, f"not within {within:g} s: {what}"
        time.sleep(LOOK)
    return found


def belonging(mark: str) -> list[int]:
    """Living processes that were started with ``PENSTOCK_RUN`` at ``mark`` or below."""
    wanted = f"PENSTOCK_RUN={mark}".encode()
    found = []
    for entry in os.scandir("/proc"):
        try:
            variables = Path(entry.path, "environ").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue  # it has ended meanwhile
        if any(variable.startswith(wanted) for variable in variables.split(b"\0")):
            found.append(int(entry.name))
    return found


def fill(directory: Path) -> Path:
    """Leave no room on the disk of ``directory``; the file that takes it."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return ballast


@dataclass(frozen=True)
class Worker:
    """One process of a run, as ``ps`` shows it."""

    label: str
    stage: str
    number: int
    pid: int
    state: str
    restarts: int

    def kill(self) -> None:
        """As the kernel does it: nobody is told."""
        os.kill(self.pid, signal.SIGKILL)


class Run:
    """One pipeline in processes of its own, from its start to what it left."""

    def __init__(
        self, process: subprocess.Popen[bytes], *, name: str, state: Path, desk: Path, talk: Path
    ) -> None:
        self.process = process
        self.name = name
        self.state = state
        """Its state directory."""
        self.desk = desk
        """The directory of its tapes and gates."""
        self._talk = talk
        self._contact: client.Run | None = None
        self._held: list[int] = []

    # While it runs ---------------------------------------------------------------------------------------

    def until(self, look: Callable[[], Found | None], what: str, *, within: float = PATIENCE) -> Found:
        """As ``until``, while it runs; an error also shows what it has said."""

        def check() -> Found | None:
            assert not self.has_ended(), f"{self.name} has ended"
            return look()

        try:
            return until(check, what, within=within)
        except (AssertionError, NotRunning) as error:
            raise AssertionError(f"{what}: {error}\n{self.said}") from None

    @property
    def contact(self) -> client.Run:
        """How it is reached."""
        if self._contact is None:
            self._contact = self.until(self._find, "it takes calls")
        return self._contact

    def _find(self) -> client.Run | None:
        return next((run for run in client.runs() if run.pid == self.process.pid), None)

    @property
    def said(self) -> str:
        """What it has said on the terminal so far."""
        return self._talk.read_text("utf-8")

    def lines(self, part: str) -> list[str]:
        """The lines it has said that contain ``part``."""
        return [line.strip() for line in self.said.splitlines() if part in line]

    def ps(self) -> dict[str, Any]:
        """Stages, workers and ledger, as they are now."""
        return client.call(self.contact, "ps")

    def totals(self) -> dict[str, int]:
        """The ledger's last line, now."""
        found: dict[str, int] = client.call(self.contact, "ledger")["totals"]
        return found

    def workers(self, stage: str | None = None) -> list[Worker]:
        """The living workers, of all stages or one."""
        return [
            Worker(each["worker"], one["name"], each["number"], each["pid"], each["state"], each["restarts"])
            for one in self.ps()["stages"]
            for each in one["replicas"]
            if "pid" in each and stage in {None, one["name"]}
        ]

    def worker(self, stage: str) -> Worker:
        """The one worker of a stage, once it is ready."""

        def look() -> Worker | None:
            found = self.workers(stage)
            return found[0] if len(found) == 1 and found[0].state == "ready" else None

        return self.until(look, f"{stage} has one worker, and it is ready")

    def is_whole(self) -> bool:
        """Whether every replica that was asked for is ready."""
        stages = self.ps()["stages"]
        return all(stage["ready"] == stage["asked"] == len(stage["replicas"]) for stage in stages)

    def until_whole(self) -> list[Worker]:
        """All its workers, once all are ready."""
        self.until(self.is_whole, "it has all its workers")
        return self.workers()

    def until_said(self, part: str) -> str:
        """The first line with ``part``, once it is there."""
        return self.until(lambda: self.lines(part), f"it says {part!r}")[0]

    def kill(self, worker: Worker) -> None:
        """Kill a worker, and wait until the supervisor has seen that."""
        worker.kill()
        self.until(lambda: all(each.number != worker.number for each in self.workers()), "its death is seen")

    def has_ended(self) -> bool:
        """Whether its supervisor has."""
        return self.process.poll() is not None

    def type(self, *arguments: str, code: int = 0) -> str:
        """A command of another terminal, about this run; what it answered."""
        command = [*PENSTOCK, *arguments, "-p", self.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=ARRIVAL, check=False)
        assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def signal(self, number: signal.Signals) -> None:
        """A signal for the supervisor."""
        os.kill(self.process.pid, number)

    # What its code is told, and what it writes down --------------------------------------------------------

    def open(self, gate: str, up_to: int = 1 << 62) -> None:
        """Let ``gate`` pass everything below ``up_to``."""
        draft = self.desk / f"{gate}.draft"
        draft.write_text(str(up_to))
        draft.replace(self.desk / f"{gate}.gate")

    def tape(self, name: str) -> list[int]:
        """All numbers that its code has noted there."""
        path = self.desk / f"{name}.tape"
        numbers = array("q")
        if path.exists():
            data = path.read_bytes()
            assert len(data) % 8 == 0, f"half a number on {path}"
            numbers.frombytes(data)
        return list(numbers)

    def noted(self, name: str) -> int:
        """How many they are."""
        path = self.desk / f"{name}.tape"
        return path.stat().st_size // 8 if path.exists() else 0

    def until_noted(self, name: str, beyond: int) -> None:
        """Wait until its code has noted more than so many there."""
        self.until(lambda: self.noted(name) > beyond, f"more than {beyond} on {name!r}", within=ARRIVAL)

    def last(self, name: str) -> int:
        """The last of them."""
        with (self.desk / f"{name}.tape").open("rb") as file:
            file.seek(-8, os.SEEK_END)
            return int.from_bytes(file.read(8), "little", signed=True)

    def letters(self) -> list[Letter]:
        """Its dead letters, oldest first."""
        return letters.of(beside(str(self.state), os.environ), self.state / "dead", self.name)

    def hold(self, directory: Path) -> Path:
        """A directory as this run sees it, in its own mounts; to be reached also when it has ended."""
        self._held.append(os.open(f"/proc/{self.process.pid}/root{directory}", os.O_PATH | os.O_DIRECTORY))
        return Path(f"/proc/self/fd/{self._held[-1]}")

    def let_go(self) -> None:
        """Of the directories that are held."""
        while self._held:
            os.close(self._held.pop())

    # The end -----------------------------------------------------------------------------------------------

    def end(self, code: int = 0, *, within: float = PATIENCE) -> dict[str, Any]:
        """Wait for its end and hold it to ``code``; its last account, which adds up."""
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"{self.name} does not end\n{self.said}") from None
        assert self.process.returncode == code, f"exit {self.process.returncode}\n{self.said}"
        account = self.account()
        assert_balanced(account)
        assert "Traceback" not in self.said, self.said
        return account

    def account(self) -> dict[str, Any]:
        """How it ended, as it wrote it down."""
        found: dict[str, Any] = json.loads((self.state / "run.json").read_text("utf-8"))
        return found


def assert_balanced(account: Mapping[str, Any]) -> None:
    """Every item has one fate, on each link and over all, and none is ``lost``."""
    fates = [
        "settled",
        "dropped_full",
        "dropped_too_old",
        "dead",
        "in_flight",
        "given_back",
        "unfinished",
        "lost",
    ]
    for link in account["links"]:
        assert link["sent"] == sum(link[fate] for fate in fates), link
        assert link["in_flight"] == link["lost"] == link["waiting"] == link["held"] == 0, link
    totals = account["totals"]
    fates = ["through", "dropped_full", "dropped_too_old", "dead", "in_flight", "unfinished", "lost"]
    assert totals["entered"] == sum(totals[fate] for fate in fates), totals
    assert totals["lost"] == totals["in_flight"] == 0, totals


class Rig:
    """Where the runs of one test lie, and the last look round after them."""

    def __init__(self, *, desk: Path, base: Path) -> None:
        """``desk``: for tapes, gates and state. ``base``: for run directories; a short path on /dev/shm."""
        self.desk = desk
        self.base = base
        self.runs: list[Run] = []

    def start(
        self,
        app: str,
        *,
        command: Iterable[str] | None = None,
        mount: Mapping[Path, str] | None = None,
        **variables: object,
    ) -> Run:
        """Start ``apps/<app>.py`` with ``penstock run``, or by ``command``.

        ``variables`` are for its code. ``mount`` lays a tmpfs of that size over each path, for it alone.
        """
        state, talk = self.desk / "state", self.desk / f"talk-{len(self.runs)}"
        for path in mount or ():
            path.mkdir(exist_ok=True, mode=0o700)
        environment = {
            **os.environ,
            "PENSTOCK_RUN_DIR": str(self.base),
            "PENSTOCK_STATE_DIR": str(state),
            "DESK": str(self.desk),
            **{name: str(value) for name, value in variables.items()},
        }
        line = [*(command or (*PENSTOCK, "run")), str(APPS / f"{app}.py")]
        with talk.open("wb") as out:
            process = subprocess.Popen(
                [*mounting(mount), *line] if mount else line,
                cwd=self.desk, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        run = Run(process, name=app, state=state, desk=self.desk, talk=talk)
        self.runs.append(run)
        return run

    def beside(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command of another terminal, while a run goes on; it ends before that does."""
        return subprocess.Popen([*PENSTOCK, *arguments], cwd=self.desk, stdout=subprocess.DEVNULL)

    def remains(self) -> list[str]:
        """What lies in the base that belongs to no run any more, and who still lives."""
        files = [str(path) for path in self.base.iterdir() if path.name != ".lock"]
        return files + [f"process {pid}" for pid in belonging(str(self.base))]

    def close(self) -> None:
        """End what still runs, and see that nothing of any run is left."""
        cut = [run for run in self.runs if not run.has_ended()]
        for run in cut:
            run.process.kill()
            run.process.wait()
        for run in self.runs:
            run.let_go()
            print(f"---- {run.name} said:\n{run.said}")  # shown when the test has failed
        if cut:
            for pid in belonging(str(self.base)):
                os.kill(pid, signal.SIGKILL)
            return
        until(lambda: not self.remains(), f"nothing is left of the runs: {self.remains()}", within=GOODBYE)


def mounting(mount: Mapping[Path, str]) -> list[str]:
    """Words before a command: a tmpfs of that size lies over each path, for it alone."""
    mounts = [f"mount -t tmpfs -o size={size},mode=0700 none '{path}'" for path, size in mount.items()]
    return [*NAMESPACE, "sh", "-c", " && ".join([*mounts, 'exec "$0" "$@"'])]
