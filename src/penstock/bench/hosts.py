"""Two workers that take each other for workers of different hosts, and who plays their supervisor.

Run as ``python -m penstock.bench.hosts``; the trial comes by environment. Its style says how they are joined:
``curve`` or ``plain``, and whether a relay stands between. Both are on this machine, so what is measured is
what the processors do: no cable is in the way.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any, TypeVar

import msgspec

from penstock.bench.trial import Trial
from penstock.pipeline.plan import InLink, Outlet, OutLink
from penstock.pipeline.reference import Reference
from penstock.runtime import boot, control
from penstock.security.curve import new_pair

M = TypeVar("M")
ANYWHERE = "tcp://127.0.0.1:*"
ARENA = 1 << 29
"""Bytes: room for some twenty arrays."""
_decode = msgspec.msgpack.Decoder(control.ToSupervisor).decode


class Seat:
    """One worker, and the line to it."""

    def __init__(self, trial: Trial, number: int, *, kind: str, code: str, host: str, **fields: Any) -> None:
        """Start it."""
        self._line, theirs = socket.socketpair()
        self._data = bytearray()
        command = [sys.executable, "-s", boot.__file__, str(theirs.fileno()), str(os.getpid())]
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        self.say(
            control.Assignment(
                version=control.VERSION, run="bench", pipeline="bench", stage=code, kind=kind, replica=0,
                replicas=1, number=number, code=Reference("", "penstock.bench.apps.arrays", code),
                run_dir=trial.directory, state_dir=trial.path("state"), host=host, **fields,
            )
        )  # fmt: skip

    def say(self, message: msgspec.Struct) -> None:
        """As its supervisor."""
        self._line.sendall(control.frame(message))

    def hear(self, kind: type[M]) -> M:
        """The next message of that kind; others are passed over.

        Raises:
            SystemExit: it has ended.
        """
        while data := self._line.recv(1 << 16):
            self._data += data
            for message in map(_decode, control.split(self._data)):
                if isinstance(message, kind):
                    return message
        raise SystemExit("a worker has ended")


def relayed(address: str) -> str:
    """Where a relay listens that leads there. It ends with this run's process group."""
    command = [sys.executable, "-m", "penstock", "relay", "--from", ANYWHERE, "--to", address]
    relay = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert relay.stderr is not None
    return f"tcp://{relay.stderr.readline().split()[0]}"


def main() -> None:
    """Until all is settled."""
    trial = Trial.here()
    pair = new_pair()
    curve = (pair.public, pair.secret) if "curve" in trial.style else None
    sends = [Outlet("", [OutLink(1, "Train", max_failures=3)])]
    source = Seat(
        trial, 1, kind="source", code="batches", host="one", listen=ANYWHERE, curve=curve,
        outlets=sends, inlinks=[], arena_bytes=ARENA,
    )  # fmt: skip
    sink = Seat(
        trial, 2, kind="sink", code="Train", host="two", curve=curve, listen=ANYWHERE,
        outlets=[], inlinks=[InLink(1, "batches")],
    )  # fmt: skip
    sink.hear(control.Bound)
    address = source.hear(control.Bound).tcp
    if "relay" in trial.style:
        address = relayed(address)
    sink.say(control.Connect(1, 1, "batches/0→Train", address))
    source.hear(control.Finished)
    sink.say(control.Drain())
    sink.say(control.Gone(1, "batches/0", ""))
    sink.hear(control.Finished)


if __name__ == "__main__":
    main()
