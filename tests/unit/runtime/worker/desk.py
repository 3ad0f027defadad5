"""A real worker process, and a test that plays its supervisor and its peers."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from penstock.observe.page import Page
from penstock.pipeline.plan import InLink, Outlet, OutLink
from penstock.pipeline.reference import Reference
from penstock.runtime import control
from tests.unit.link.wire import LINK, PATIENCE

M = TypeVar("M")
_decode = msgspec.msgpack.Decoder(control.ToSupervisor).decode
START = "import sys; from penstock.runtime.worker.life import main; main(int(sys.argv[1]))"
OUT = [Outlet("", [OutLink(LINK, "work", max_failures=3)])]
IN = [InLink(LINK, "src")]


class WorkerProcess:
    """One worker, number 1 of its run, whose code is the text it is given."""

    def __init__(
        self,
        folder: Path,
        code: str,
        *,
        kind: str,
        outlets: list[Outlet],
        inlinks: list[InLink],
        bound: bool = True,
        **more: Any,
    ) -> None:
        (folder / "app.py").write_text(code)
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._data = bytearray()
        self._heard: list[Any] = []
        self.log = folder / "worker.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        theirs.close()
        self.say(
            control.Assignment(
                version=control.VERSION, run="demo-1", pipeline="demo", stage="src", kind=kind, replica=0,
                replicas=1, number=1, code=Reference(str(folder), "app", "run"), outlets=outlets,
                inlinks=inlinks, run_dir=str(folder), state_dir=str(folder / "state"), **more,
            )
        )  # fmt: skip
        self._closing = ExitStack()
        if not bound:  # it is not to come so far
            return
        self.bound = self.hear(control.Bound)
        self.endpoint = f"ipc://{folder}/1.sock"
        self.page = Page(str(folder / "1.page"))
        self._closing.callback(self.page.close)

    def say(self, message: Any) -> None:
        """As the supervisor."""
        self._socket.sendall(control.frame(message))

    def hear(self, kind: type[M]) -> M:
        """The next message of that kind; others before it are passed over."""
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit:
            while self._heard:
                message = self._heard.pop(0)
                if isinstance(message, kind):
                    return message
            readable, _, _ = select.select([self._socket], [], [], 0.1)
            if readable:
                data = self._socket.recv(1 << 16)
                assert data, f"the worker has ended: {self.log.read_text()}"
                self._data += data
                self._heard += [_decode(body) for body in control.split(self._data)]
        raise AssertionError(f"no {kind.__name__} was said: {self.log.read_text()}")

    def busy(self) -> float:
        """Seconds of processor time that all of its threads have used."""
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            words = Path(f"/proc/{self.process.pid}/task/{task}/schedstat").read_text().split()
            total += int(words[0])
        return total / 1e9

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._socket.close()
        self._closing.close()
