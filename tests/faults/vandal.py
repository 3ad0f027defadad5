"""Somebody who talks nonsense to every socket of a run: bytes, frames, real messages with an error."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import zmq

from penstock.message import envelope

CHUNK = 2000
"""Bytes that each socket gets in one turn."""
PAUSE = 0.01
"""Seconds between two turns: 200 kB/s for each socket."""

REAL: list[Any] = [
    envelope.Hello(envelope.VERSION, 2, 0, "here", 0, 1 << 28),
    envelope.Credit(1, 1000, True, [], [(0, 1)]),
    envelope.Credit(7, 1, False, [envelope.Failure(0, "ValueError: no", "...")], []),
    envelope.Settle([1, 2, 3]),
    envelope.Release([(0, 1), (65536, 2)]),
    envelope.Bye(),
]


class Vandal:
    """At work from ``with`` to the end of it."""

    def __init__(self, directory: str, *, seed: int = 7) -> None:
        """``directory``: of the run."""
        self._luck = random.Random(seed)
        self._directory = Path(directory)
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.bytes = 0
        """How many it has sent."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join(10)
        assert not self._thread.is_alive(), "the vandal hangs: a socket does not take what it is sent"

    def _run(self) -> None:
        context: zmq.Context[Any] = zmq.Context()
        try:
            frames = {path: self._connected(context, path) for path in self._directory.glob("[0-9]*.sock")}
            while not self._enough.wait(PAUSE):
                for path in self._directory.glob("*.sock"):
                    self._throw_bytes(path)
                for dealer in frames.values():
                    self._throw_frames(dealer)
        finally:
            context.destroy(linger=0)

    def _connected(self, context: zmq.Context[Any], path: Path) -> zmq.Socket[bytes]:
        dealer: zmq.Socket[bytes] = context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.SNDHWM, 100)
        dealer.connect(f"ipc://{path}")
        return dealer

    def _throw_bytes(self, path: Path) -> None:
        """As one who takes it for another kind of socket; the other side hangs up, as soon as it likes."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
            line.settimeout(1)
            line.connect(str(path))
            line.sendall(self._luck.randbytes(CHUNK // 2))
            line.sendall(b"\n")
            self.bytes += CHUNK // 2

    def _throw_frames(self, dealer: zmq.Socket[bytes]) -> None:
        for frame in self._frames():
            with contextlib.suppress(zmq.Again):
                dealer.send_multipart([frame] * self._luck.choice([1, 1, 1, 2]), zmq.NOBLOCK)
                self.bytes += len(frame)

    def _frames(self) -> Iterator[bytes]:
        sent = 0
        while sent < CHUNK // 2:
            frame = self._luck.choice([self._mutated(), self._luck.randbytes(self._luck.randrange(200))])
            sent += len(frame) + 1
            yield frame

    def _mutated(self) -> bytes:
        """A real message, with up to three bytes changed, or cut off, or as it is but from nobody."""
        frame = bytearray(envelope.pack(self._luck.choice(REAL)))
        for _ in range(self._luck.randrange(4)):
            frame[self._luck.randrange(len(frame))] = self._luck.randrange(256)
        return bytes(frame[: self._luck.choice([len(frame), self._luck.randrange(len(frame))])])
