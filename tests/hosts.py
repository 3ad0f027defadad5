"""Several hosts on one machine: network namespaces with a switch between them. Needs root and iproute2."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PENSTOCK = [sys.executable, "-m", "penstock"]
PATIENCE = 60.0
RUN = "tcp://10.77.0.11:7788"
"""Where the first host listens, unless said."""
AT_HAND = os.getuid() == 0 and shutil.which("ip") is not None
_numbers = itertools.count()

APP = """\
import os
import time

from penstock import Pipeline, sink, source, stage


@source
def numbers():
    for n in range(10**9):
        yield n


@stage
def work(n: int) -> tuple[int, str]:
    time.sleep(0.0005)
    return n, os.environ.get("LAB_HOST", "?")


@sink
class Keep:
    def setup(self):
        self.file = open("kept", "a", buffering=1)

    def __call__(self, row: tuple[int, str]):
        self.file.write(f"{row[0]} {row[1]}\\n")


pipeline = Pipeline("lab", numbers >> work >> Keep)
"""
"""Each number goes through one ``work``, wherever that is, and is kept with the name of that host."""


def until(look: Callable[[], Any], what: str, *, within: float = PATIENCE) -> Any:
    """What ``look`` answers as soon as that is true."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, f"not within {within:g} s: {what}"
        time.sleep(0.02)
    return found


class Lab:
    """A switch, and hosts 10.77.0.11 and so on, each with a folder of its own."""

    def __init__(self, folder: Path, count: int = 3) -> None:
        self.folder = folder
        self.mark = f"pst{os.getpid()}n{next(_numbers)}"
        self._switch = f"{self.mark}sw"
        self._shm = Path("/dev/shm", self.mark)
        self._shm.mkdir(mode=0o700)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "br0", "up")
        for number in range(1, count + 1):
            self._plug_in(number)
        (self.home("h1") / "app.py").write_text(APP)

    def _plug_in(self, number: int) -> None:
        space = self._space(f"h{number}")
        _ip("netns", "add", space)
        _ip(
            "-n",
            self._switch,
            "link",
            "add",
            f"v{number}",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            space,
        )
        _ip("-n", self._switch, "link", "set", f"v{number}", "master", "br0", "up")
        _ip("-n", space, "addr", "add", f"10.77.0.{10 + number}/24", "dev", "eth0")
        _ip("-n", space, "link", "set", "eth0", "up")
        _ip("-n", space, "link", "set", "lo", "up")
        self.home(f"h{number}").mkdir(parents=True)

    def _space(self, host: str) -> str:
        return f"{self.mark}{host}"

    def home(self, host: str) -> Path:
        """Where its processes are at home."""
        return self.folder / host

    # What happens to the cables ---------------------------------------------------------------------------

    def cut(self, host: str) -> None:
        """Pull its cable."""
        _ip("-n", self._switch, "link", "set", f"v{host[1:]}", "down")

    def heal(self, host: str) -> None:
        """Put it back."""
        _ip("-n", self._switch, "link", "set", f"v{host[1:]}", "up")

    def move(self, host: str, address: str) -> None:
        """Give it another address in place of its own."""
        _ip("-n", self._space(host), "addr", "flush", "dev", "eth0")
        self.also(host, address)

    def also(self, host: str, address: str) -> None:
        """Give it one address more."""
        _ip("-n", self._space(host), "addr", "add", f"{address}/24", "dev", "eth0")

    def slow(self, host: str, rate: str) -> None:
        """What it sends is sent at that rate: ``1mbit``."""
        command = ["tc", "-n", self._space(host), "qdisc", "add", "dev", "eth0", "root", "tbf"]
        subprocess.run([*command, "rate", rate, "burst", "16kb", "latency", "200ms"], check=True)

    @contextmanager
    def weather(self, host: str, *, loss: float = 0.0, delay: float = 0.0) -> Iterator[dict[str, int]]:
        """What it sends is lost (a part of 1) or late (seconds). In the end it is said how much was."""
        counts: dict[str, int] = {}
        with subprocess.Popen(
            self.within(
                host, sys.executable, str(Path(__file__).with_name("weather.py")), f"{loss}", f"{delay}"
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as rule:
            assert rule.stdout is not None and rule.stdout.readline() == "ready\n"
            yield counts
            counts.update(json.loads(rule.communicate()[0]))

    def carried(self, host: str) -> tuple[int, int]:
        """The bytes that went from it, and to it."""
        (link,) = json.loads(_ip("-j", "-s", "-n", self._switch, "link", "show", f"v{host[1:]}"))
        return link["stats64"]["rx"]["bytes"], link["stats64"]["tx"]["bytes"]

    # What runs there --------------------------------------------------------------------------------------

    def start(self, host: str, *words: str, name: str = "", **environ: str) -> subprocess.Popen[bytes]:
        """``penstock`` with these words, there, beside us; what it says is in ``said``."""
        key = name or host
        with self._log(key).open("ab") as log:
            self.processes[key] = subprocess.Popen(
                self.within(host, *PENSTOCK, *words),
                cwd=self.home(host),
                env={**self._environ(host), **environ},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        return self.processes[key]

    def within(self, host: str, *command: str) -> list[str]:
        """The command that runs ``command`` there."""
        return ["ip", "netns", "exec", self._space(host), *command]

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``penstock`` with these words on the first host, to its end."""
        return subprocess.run(
            self.within("h1", *PENSTOCK, *words),
            cwd=self.home("h1"),
            env=self._environ("h1"),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def python(self, host: str, script: str) -> subprocess.CompletedProcess[str]:
        """A script there, to its end."""
        return subprocess.run(
            self.within(host, sys.executable, "-c", script),
            cwd=self.home(host),
            env=self._environ(host),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def ask(self, *words: str) -> Any:
        """What ``penstock`` answers on the first host, read as JSON."""
        return json.loads(self.call(*words, "--json").stdout or "{}")

    def begin(self, *words: str, at: str = RUN) -> None:
        """Run the app on the first host, and wait until hosts can join."""
        self.start("h1", "run", "app.py", "--listen", at, *words)
        until(self._listens, "it listens")

    def _listens(self) -> bool:
        assert self.processes["h1"].poll() is None, self.said("h1")
        return self.key.exists()

    def join(self, host: str, *words: str, at: str = RUN) -> None:
        """Have a host join, with one worker more."""
        words = ("--key-file", str(self.key), "--name", host, "--stage", "work=1", *words)
        self.start(host, "join", at, *words)

    @property
    def key(self) -> Path:
        """The key file of the run."""
        return self.home("h1") / ".penstock/lab/join.key"

    def said(self, key: str) -> str:
        """What a process has said."""
        return self._log(key).read_text("utf-8")

    def kill(self, host: str) -> None:
        """Its power is gone: all that runs there ends, and the cable is dead."""
        self.cut(host)
        for pid in _ip("netns", "pids", self._space(host)).split():
            os.kill(int(pid), signal.SIGKILL)
        self.processes[host].wait()

    def _log(self, key: str) -> Path:
        return self.folder / f"{key}.log"

    def _environ(self, host: str) -> dict[str, str]:
        mine = self._shm / host
        mine.mkdir(mode=0o700, exist_ok=True)
        return {
            **os.environ,
            "PENSTOCK_RUN_DIR": str(mine),
            "PENSTOCK_CACHE_DIR": str(self.home(host) / "cache"),
            "LAB_HOST": host,
        }

    # How it went ------------------------------------------------------------------------------------------

    def kept(self) -> list[tuple[int, str]]:
        """What has come through so far, and by which host."""
        path = self.home("h1") / "kept"
        rows = path.read_text().splitlines() if path.exists() else []
        return [(int(row.split()[0]), row.split()[1]) for row in rows if len(row.split()) == 2]

    def works(self, host: str, more: int = 20) -> None:
        """Wait until so many more came through by that host."""
        before = sum(name == host for _, name in self.kept())
        until(lambda: sum(name == host for _, name in self.kept()) >= before + more, f"{host} works")

    def finish(self) -> dict[str, int]:
        """Drain; the ledger's last line, which must add up with what was kept."""
        self.processes["h1"].send_signal(signal.SIGINT)
        assert self.processes["h1"].wait(PATIENCE) == 0, self.said("h1")
        totals: dict[str, int] = json.loads((self.home("h1") / ".penstock/lab/run.json").read_text())[
            "totals"
        ]
        numbers = [number for number, _ in self.kept()]
        assert set(numbers) == set(range(totals["entered"])), "nothing is lost"
        assert totals["through"] == totals["entered"]
        assert not totals["lost"] + totals["unfinished"] + totals["in_flight"] + totals["dead"]
        return {**totals, "twice": len(numbers) - len(set(numbers))}

    def close(self) -> None:
        """End what is left, and take all away."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        for space in _ip("netns", "list").splitlines():
            name = space.split()[0]
            if name.startswith(self.mark):
                for pid in _ip("netns", "pids", name).split():
                    os.kill(int(pid), signal.SIGKILL)
                _ip("netns", "delete", name)
        shutil.rmtree(self._shm, ignore_errors=True)


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout
