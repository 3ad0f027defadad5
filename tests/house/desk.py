"""A folder where a page of documentation is followed word by word, as its reader would."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.house.pages import Command, differences

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 150.0
"""Seconds a command may take: the first `make demo` makes three environments."""
GOODBYE = 3.0
"""Seconds in which what runs beside may end by itself, when its page is over and it has said all."""
LOOPBACK = re.compile(r"(?<=tcp://127\.0\.0\.1:)\d+")
"""Ports of this machine that a page names: somebody else may have them here."""
REAL_TARGETS = ("demo", "help")
"""`make` targets that are run; of the others only the recipe is checked: `make test` would run itself."""


class Desk:
    """One page's folder, its current directory and what still runs there."""

    def __init__(self, folder: Path, programs: Path, runs: Path) -> None:
        """Programs in ``programs`` are found before all others; pipelines run in ``runs``."""
        self.folder = folder
        self._place = folder / ".place"
        self._here = folder
        self._beside: list[tuple[Command, _Running]] = []
        self._ports: dict[str, str] = {}
        path = os.pathsep.join((str(programs), str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        self._environment = {
            **{key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}},
            "PATH": path,
            "PENSTOCK_RUN_DIR": str(runs),
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            "COLUMNS": "100",
        }

    def set(self, name: str, value: str) -> None:
        """As if its reader had set that variable."""
        self._environment[name] = value

    def write(self, name: str, text: str) -> None:
        """Lay a file of the page down."""
        path = self._here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def do(self, command: Command) -> list[str]:
        """Run one command; in what it differed from what the page says."""
        if command.text.startswith("make "):
            return self._make(command)
        running = self._start(command)
        if command.beside:
            self._beside.append((command, running))
            return []
        return self._compare(command, running)

    def leave(self) -> list[str]:
        """Press Ctrl-C for all that does not end by itself; in what it differed from what the page says."""
        found = []
        for command, running in self._beside:
            if not command.interrupted:
                running.prints(command.expected, PATIENCE)
                if not running.ends(GOODBYE):
                    running.interrupt()
            found += self._compare(command, running)
        return found

    def clear(self) -> None:
        """End what is still there after a failure."""
        for _, running in self._beside:
            running.kill()

    def _make(self, command: Command) -> list[str]:
        target = command.text.split()[1]
        line = command.text if target in REAL_TARGETS else command.text.replace("make", "make --dry-run", 1)
        running = _Running(line, ROOT, self._environment)
        if target in REAL_TARGETS:
            return self._compare(command, running)
        status = running.end(PATIENCE)
        return [] if status == 0 else [f"line {command.line}: no such target: {command.text}"]

    def _start(self, command: Command) -> _Running:
        text = LOOPBACK.sub(self._port, command.text.removesuffix("&").strip())
        if command.beside:
            return _Running(text, self._here, self._environment)
        # The shell's last word is where it stands: a `cd` holds for the rest of the page.
        script = f"{text}\nstatus=$?\npwd > {self._place}\nexit $status"
        return _Running(script, self._here, self._environment)

    def _port(self, named: re.Match[str]) -> str:
        """One that is free here, in place of that of the page."""
        if named[0] not in self._ports:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                self._ports[named[0]] = str(probe.getsockname()[1])
        return self._ports[named[0]]

    def _compare(self, command: Command, running: _Running) -> list[str]:
        if command.interrupted and running.prints(command.before_interrupt, PATIENCE):
            running.interrupt()
        status = running.end(PATIENCE)
        if self._place.exists():
            self._here = Path(self._place.read_text().strip())
        found = differences(command.expected, running.lines) if command.expected else []
        if status != command.status:
            found.append(f"exit code {status}, not {command.status}")
        where = f"line {command.line}, $ {command.text}"
        return [f"{where}\n    {line}" for line in found] + (["".join(running.lines)] if found else [])


class _Running:
    """A command under way, and what it has printed."""

    def __init__(self, script: str, here: Path, environment: dict[str, str]) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=here,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._printed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def prints(self, expected: list[str], within: float) -> bool:
        """Wait until every one of these lines has been printed."""
        wanted = [*(line for line in expected if line.strip()), "..."]
        with self._printed:
            return self._printed.wait_for(lambda: not differences(wanted, self.lines), within)

    def ends(self, within: float) -> bool:
        """Whether it ends by itself in that time."""
        self._reader.join(within)
        return not self._reader.is_alive()

    def interrupt(self) -> None:
        """Ctrl-C: to the whole group in front, as a terminal does it."""
        os.killpg(self._process.pid, signal.SIGINT)

    def end(self, within: float) -> int:
        """Wait for the end; its exit code."""
        deadline = time.monotonic() + within
        try:
            status = self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            self.lines.append(f"(still running after {within:.0f} s)")
            status = self._process.wait()
        self._reader.join(max(0.1, deadline - time.monotonic()))
        return status

    def kill(self) -> None:
        """End the whole group."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                with self._printed:
                    self.lines.append(line)
                    self._printed.notify_all()
