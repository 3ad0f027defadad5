"""People on the network who are not let in, and try all the same: noise, other protocols, other keys, what
they have overheard, sizes beyond all memory, connections that say nothing, and very many of all these."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

import zmq

SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
PAUSE = 0.002


def greeting(mechanism: bytes = b"CURVE", major: int = 3, minor: int = 1) -> bytes:
    """What ZMTP begins with: signature, version, mechanism, whether it is the server, and nothing."""
    return SIGNATURE + bytes([major, minor]) + mechanism.ljust(20, b"\0") + bytes(32)


def command(body: bytes, size: int | None = None) -> bytes:
    """A command of ZMTP; ``size``: what it says that it has."""
    return b"\x06" + struct.pack(">Q", len(body) if size is None else size) + body


class Strangers:
    """At work on one endpoint from ``with`` to the end of it."""

    def __init__(self, endpoint: str, *, server: str, heard: bytes = b"", seed: int = 5) -> None:
        """``server``: the public key there. ``heard``: what somebody else has said to it, who was let in."""
        self._place = ("127.0.0.1", int(endpoint.rpartition(":")[2]))
        self._endpoint = endpoint
        self._server = server.encode()
        self._heard = heard
        self._luck = random.Random(seed)
        self._enough = threading.Event()
        self.tried: Counter[str] = Counter()
        self.silent: list[socket.socket] = []
        """Connections that say nothing."""
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._throw, self._knock)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive(), "a stranger hangs: the socket does not take what it is sent"
        for each in self.silent:
            each.close()

    def stay_silent(self, count: int) -> None:
        """Half of them say as much as that they speak ZeroMQ."""
        for number in range(count):
            line = socket.create_connection(self._place, 10)
            if number % 2:
                line.sendall(greeting())
            self.silent.append(line)

    def _throw(self) -> None:
        makers: dict[str, Callable[[], bytes]] = {
            "noise": lambda: self._luck.randbytes(2000),
            "without a key": lambda: greeting(b"NULL") + command(b"\x05READY"),
            "a password": lambda: greeting(b"PLAIN") + command(b"\x05HELLO\x04root\x04root"),
            "an old version": lambda: SIGNATURE + b"\x01\x05\0\0",
            "an older one": lambda: b"\x05\x00root\x02\x00x",
            "a version to come": lambda: greeting(major=9, minor=9) + self._luck.randbytes(200),
            "a hello of noise": lambda: (
                greeting() + command(b"\x05HELLO\x01\x00" + self._luck.randbytes(192))
            ),
            "a hello cut off": lambda: greeting() + command(b"\x05HELLO\x01\x00"),
            "more than all memory": lambda: greeting() + command(b"\x05HELLO", 1 << 62) + bytes(5000),
            "a message before the hello": lambda: greeting() + b"\x00\x05hello" * 100,
            "an initiate without a hello": lambda: greeting() + command(b"\x08INITIATE" + bytes(300)),
            "what somebody has said": lambda: self._heard,
            "what somebody has said, damaged": self._damaged,
        }
        while not self._enough.wait(PAUSE):
            name = self._luck.choice(list(makers))
            with contextlib.suppress(OSError), socket.create_connection(self._place, 5) as line:
                line.settimeout(0.05)
                line.sendall(makers[name]())
                self.tried[name] += 1
                line.recv(4096)

    def _damaged(self) -> bytes:
        data = bytearray(self._heard)
        for _ in range(3 if data else 0):
            data[self._luck.randrange(len(data))] ^= 1 << self._luck.randrange(8)
        return bytes(data)

    def _knock(self) -> None:
        """With keys that nobody trusts, as fast as that goes."""
        context: zmq.Context[Any] = zmq.Context()
        try:
            while not self._enough.wait(PAUSE):
                with context.socket(zmq.PUSH) as pusher:
                    pusher.linger = 0
                    pusher.curve_publickey, pusher.curve_secretkey = zmq.curve_keypair()
                    pusher.curve_serverkey = self._server
                    pusher.connect(self._endpoint)
                    with contextlib.suppress(zmq.ZMQError):
                        pusher.send(b"\x01", zmq.NOBLOCK)
                    pusher.poll(10, zmq.POLLOUT)
                self.tried["another key"] += 1
        finally:
            context.destroy(linger=0)


class Meddler:
    """Forwards connections, keeps what was said in the first, and changes a bit now and then if asked."""

    def __init__(self, endpoint: str, *, every: int = 0, seed: int = 3) -> None:
        """``every``: one of so many pieces of what a client says is changed; 0: none."""
        self._there = ("127.0.0.1", int(endpoint.rpartition(":")[2]))
        self._here = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._here.getsockname()[1]}"
        self._every = every
        self._luck = random.Random(seed)
        self.heard = b""
        self.changed = self.passed = 0
        self._others: list[socket.socket] = []
        self._first = True
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            self._here.shutdown(socket.SHUT_RDWR)
        self._here.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._here.accept()
                other = socket.create_connection(self._there)
                self._others.append(other)
                for pair in ((one, other, True), (other, one, False)):
                    threading.Thread(target=self._forward, args=(*pair, self._first), daemon=True).start()
                self._first = False

    def _forward(self, source: socket.socket, target: socket.socket, said: bool, first: bool) -> None:
        with contextlib.suppress(OSError), source, target:
            while data := source.recv(4096):
                if said and first:
                    self.heard += data
                if said and self._every and self._luck.randrange(self._every) == 0:
                    data = self._bent(data)
                target.sendall(data)
                self.passed += len(data)
            for each in (source, target):
                each.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End the connections as a host does that has forgotten them."""
        for each in self._others:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(each.detach())

    def _bent(self, data: bytes) -> bytes:
        self.changed += 1
        bent = bytearray(data)
        bent[self._luck.randrange(len(bent))] ^= 1 << self._luck.randrange(8)
        return bytes(bent)
