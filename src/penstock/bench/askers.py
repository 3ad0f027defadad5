"""The peers of calls: pyzmq's REQ and REP, and memory alone. Roles of ``peers``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zmq

from penstock.bench.asking import clock

if TYPE_CHECKING:
    from penstock.bench.peers import Sockets
    from penstock.bench.trial import Trial


def req(trial: Trial, sockets: Sockets) -> None:
    """Ask, and wait for the answer."""
    socket = sockets.connect(zmq.REQ, "link")

    clock(trial, lambda message: (socket.send(message), socket.recv()))


def req_arrays(trial: Trial, sockets: Sockets) -> None:
    """The same, as pyzmq moves arrays without a copy of its own."""
    import numpy as np

    socket = sockets.connect(zmq.REQ, "link")

    def ask(array: Any) -> object:
        socket.send(array, copy=False)
        return np.frombuffer(socket.recv(copy=False).buffer, np.float32)

    clock(trial, ask)


def rep_arrays(trial: Trial, sockets: Sockets) -> None:
    """Answer with what was asked."""
    import numpy as np

    socket = sockets.bind(zmq.REP, "link")
    while True:
        array: Any = np.frombuffer(socket.recv(copy=False).buffer, np.float32)
        socket.send(array, copy=False)


def copies(trial: Trial, sockets: Sockets) -> None:
    """Copy the message in memory: there, and back."""
    import numpy as np

    there = np.ones(trial.shape, np.float32)
    back = np.ones(trial.shape, np.float32)

    def copy(array: Any) -> None:
        np.copyto(there, array)
        np.copyto(back, there)

    clock(trial, copy)


def rep(trial: Trial, sockets: Sockets) -> None:
    """Answer with what was asked."""
    socket = sockets.bind(zmq.REP, "link")
    while True:
        socket.send(socket.recv())
