"""The same with plain pyzmq, as most of us begin: PUSH here, PULL there.

    python plain.py pickle      send_pyobj, recv_pyobj
    python plain.py nocopy      a header as JSON, then the array with copy=False

What it does not do: when the trainer dies, what it held and what was queued is gone; when the producer
dies, the trainer waits for ever; nobody counts, and the queue between them is bounded in messages
only (1,000 at each end by default: 38 GB of batches like these).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
import work
import zmq


def push(style: str, address: str) -> None:
    """The producer."""
    socket = zmq.Context().socket(zmq.PUSH)
    socket.set_hwm(4)  # or the queue would grow to the memory's end: pickles of 19 MB wait in it
    socket.connect(address)
    for raw in work.camera():
        batch: Any = work.decode(raw)
        if style == "pickle":
            socket.send_pyobj(batch)
        else:
            socket.send_json({"dtype": str(batch.dtype), "shape": batch.shape}, zmq.SNDMORE)
            socket.send(batch, copy=False)
    socket.close()


def pull(style: str, address: str) -> None:
    """The trainer. It has to know how many will come: the protocol has no end."""
    socket = zmq.Context().socket(zmq.PULL)
    socket.set_hwm(4)
    socket.bind(address)
    trainer = work.Trainer()
    for _ in range(work.BATCHES):
        if style == "pickle":
            trainer.train(socket.recv_pyobj())
        else:
            header: Any = socket.recv_json()
            frame: Any = socket.recv(copy=False)
            trainer.train(np.frombuffer(frame, header["dtype"]).reshape(header["shape"]))
    trainer.report()


def both(style: str) -> None:
    """Start the producer as a process of its own; train here."""
    with tempfile.TemporaryDirectory(prefix="frames-") as directory:
        address = f"ipc://{directory}/link"
        with subprocess.Popen([sys.executable, __file__, style, "push", address]):
            pull(style, address)


if __name__ == "__main__":
    if sys.argv[2:3] == ["push"]:
        push(sys.argv[1], sys.argv[3])
    else:
        both(sys.argv[1])
