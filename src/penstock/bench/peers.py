"""The peers: what people write with plain pyzmq today, each socket in a process of its own.

They are written to be fast: default high-water marks, ``ipc``, nothing acknowledged, nothing checked,
nothing redelivered. Run as ``python -m penstock.bench.peers <role>``; the trial comes by environment.
Below, who binds and who connects (every name is a socket file of the run):

    stream, arrays, latency     push  --(link)-->  pull
    call                        req   --(link)-->  rep
    passthrough                 push --(front)--> forward_arrays --(link)--> pull
    fanout                      push_fan --(fan0..3)--> 4 x pull_fan
    chain                       push_json --(front)--> proxy --(work)--> 2 x work_json --(back)-->
                                proxy --(done)--> pull_json
    ordered                     push_json_near --(work)--> 2 x work_json --(back)--> pull_json_in_order
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from heapq import heappop, heappush
from typing import Any

import zmq

from penstock.bench.askers import copies, rep, rep_arrays, req, req_arrays
from penstock.bench.gauge import EVERY, DelayGauge, RateGauge
from penstock.bench.item import CELSIUS, SENSOR, Reading, corrected
from penstock.bench.trial import FAN, Trial
from penstock.bench.turns import Turns

MESSAGE = bytes(64)
FAR = {"plain", "curve"}
"""Words of a style: by tcp, as between hosts."""


class Sockets:
    """The sockets of one role; those that many sit behind are bound, the others connect."""

    def __init__(self, trial: Trial) -> None:
        """One context per process."""
        self._trial = trial
        self._context = zmq.Context()

    def bind(self, kind: int, name: str) -> zmq.Socket[bytes]:
        """A bound socket."""
        socket = self._context.socket(kind)
        if FAR.isdisjoint(self._trial.style.split()):
            socket.bind(f"ipc://{self._trial.path(name)}")
        else:
            self._bind_tcp(socket, self._trial.path(name))
        return socket

    def connect(self, kind: int, name: str) -> zmq.Socket[bytes]:
        """A connected socket; the other side may come later."""
        socket = self._context.socket(kind)
        if FAR.isdisjoint(self._trial.style.split()):
            socket.connect(f"ipc://{self._trial.path(name)}")
        else:
            self._connect_tcp(socket, self._trial.path(name))
        return socket

    def _bind_tcp(self, socket: zmq.Socket[bytes], path: str) -> None:
        public, secret = zmq.curve_keypair()
        if "curve" in self._trial.style:
            socket.curve_publickey, socket.curve_secretkey, socket.curve_server = public, secret, True
        socket.bind("tcp://127.0.0.1:*")
        with open(f"{path}.part", "w", encoding="ascii") as file:
            file.write(f"{socket.getsockopt_string(zmq.LAST_ENDPOINT)} {public.decode()}")
        os.rename(f"{path}.part", path)

    def _connect_tcp(self, socket: zmq.Socket[bytes], path: str) -> None:
        while not os.path.exists(path):
            time.sleep(0.01)
        with open(path, encoding="ascii") as file:
            endpoint, server = file.read().split()
        if "curve" in self._trial.style:
            socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
            socket.curve_serverkey = server.encode()
        socket.connect(endpoint)


def push(trial: Trial, sockets: Sockets) -> None:
    """Send 64 bytes, and again."""
    send = sockets.connect(zmq.PUSH, "link").send
    while True:
        send(MESSAGE)


def pull(trial: Trial, sockets: Sockets) -> None:
    """Receive and count."""
    count_small(trial, sockets.bind(zmq.PULL, "link").recv)


def count_small(trial: Trial, receive: Callable[[], object]) -> None:
    """The loop of a sink of small messages."""
    gauge, count = RateGauge(trial), 0
    while True:
        receive()
        count += 1
        if not count & EVERY and gauge.look(count):
            return


def push_json(trial: Trial, sockets: Sockets) -> None:
    """Send a new dict as JSON, and again."""
    push_json_to(sockets.connect(zmq.PUSH, "front"))


def push_json_near(trial: Trial, sockets: Sockets) -> None:
    """The same, to the workers themselves."""
    push_json_to(sockets.bind(zmq.PUSH, "work"))


def push_json_to(socket: zmq.Socket[bytes]) -> None:
    """The loop of a source of dicts."""
    number = 0
    while True:
        socket.send_json({"number": number, "sensor": SENSOR, "celsius": CELSIUS})
        number += 1


def work_json(trial: Trial, sockets: Sockets) -> None:
    """Receive JSON, change it, send it on."""
    taken, done = sockets.connect(zmq.PULL, "work"), sockets.connect(zmq.PUSH, "back")
    while True:
        reading: Any = taken.recv_json()
        reading["celsius"] += 0.25
        done.send_json(reading)


def proxy_front(trial: Trial, sockets: Sockets) -> None:
    """The streamer between the producer and the workers."""
    zmq.proxy(sockets.bind(zmq.PULL, "front"), sockets.bind(zmq.PUSH, "work"))


def proxy_back(trial: Trial, sockets: Sockets) -> None:
    """The streamer between the workers and the consumer."""
    zmq.proxy(sockets.bind(zmq.PULL, "back"), sockets.bind(zmq.PUSH, "done"))


def pull_json(trial: Trial, sockets: Sockets) -> None:
    """Receive JSON and count."""
    count_small(trial, sockets.connect(zmq.PULL, "done").recv_json)


def pull_json_in_order(trial: Trial, sockets: Sockets) -> None:
    """Receive JSON, put it in order and count."""
    count_small(trial, in_order(sockets.bind(zmq.PULL, "back").recv_json))


def in_order(receive: Callable[[], Any]) -> Callable[[], object]:
    """What is received, by its numbers; what came too early waits in a heap."""
    early: list[tuple[int, object]] = []
    turns = itertools.count()

    def take() -> object:
        turn = next(turns)
        while not early or early[0][0] != turn:
            reading = receive()
            if reading["number"] == turn:
                return reading
            heappush(early, (reading["number"], reading))
        return heappop(early)[1]

    return take


def loop(trial: Trial, sockets: Sockets) -> None:
    """Make dicts, change them and count, in one process: no hop at all."""
    gauge, number = RateGauge(trial), 0
    while True:
        reading: Reading = {"number": number, "sensor": SENSOR, "celsius": CELSIUS}
        corrected(reading)
        number += 1
        if not number & EVERY and gauge.look(number):
            return


def push_arrays(trial: Trial, sockets: Sockets) -> None:
    """Send prepared arrays in turn: pickled, or as a header and a frame (pyzmq's own recipe)."""
    push_arrays_to(trial, sockets.connect(zmq.PUSH, "link"))


def push_arrays_to(trial: Trial, socket: zmq.Socket[bytes]) -> None:
    """The loop of a source of arrays."""
    from penstock.bench.batch import prepared

    # An array is a buffer, though before Python 3.12 its type cannot say so.
    arrays: list[Any] = list(prepared(trial))
    while True:
        for array in arrays:
            if trial.style == "pickle":
                socket.send_pyobj(array)
            else:
                socket.send_json({"dtype": str(array.dtype), "shape": array.shape}, zmq.SNDMORE)
                socket.send(array, copy="no" not in trial.style)


def pull_arrays(trial: Trial, sockets: Sockets) -> None:
    """Receive arrays, read every byte, count."""
    import numpy as np

    from penstock.bench.batch import read

    socket, gauge = sockets.bind(zmq.PULL, "link"), RateGauge(trial)
    count, finished = 0, False
    while not finished:
        if trial.style == "pickle":
            read(socket.recv_pyobj())
        else:
            header: Any = socket.recv_json()
            # pyzmq's Frame is a buffer, though its type does not say so.
            frame: Any = socket.recv(copy="no" not in trial.style)
            read(np.frombuffer(frame, dtype=header["dtype"]).reshape(header["shape"]))
        count += 1
        finished = gauge.look(count)


def push_arrays_far(trial: Trial, sockets: Sockets) -> None:
    """The same, to somebody in between."""
    push_arrays_to(trial, sockets.connect(zmq.PUSH, "front"))


def forward_arrays(trial: Trial, sockets: Sockets) -> None:
    """Receive arrays and send them on."""
    taken, done = sockets.bind(zmq.PULL, "front"), sockets.connect(zmq.PUSH, "link")
    while True:
        header: Any = taken.recv_json()
        frame: Any = taken.recv(copy=False)
        done.send_json(header, zmq.SNDMORE)
        done.send(frame, copy=False)


def copy_arrays(trial: Trial, sockets: Sockets) -> None:
    """No sockets at all: copy arrays in memory, read every byte, count."""
    import numpy as np

    from penstock.bench.batch import prepared, read

    arrays, gauge, count = prepared(trial), RateGauge(trial), 0
    copies = [np.empty_like(array) for array in arrays]
    while not gauge.look(count):
        place = count % len(arrays)
        np.copyto(copies[place], arrays[place])
        read(copies[place])
        count += 1


def push_fan(trial: Trial, sockets: Sockets) -> None:
    """Send prepared arrays in turn, each to all sinks."""
    from penstock.bench.batch import prepared

    fan = [sockets.connect(zmq.PUSH, f"fan{number}") for number in range(FAN)]
    arrays: list[Any] = list(prepared(trial))
    while True:
        for array in arrays:
            for socket in fan:
                socket.send(array, copy=False)


def pull_fan(trial: Trial, sockets: Sockets, *, number: int) -> None:
    """Receive arrays and look at the first element; the first sink counts."""
    import numpy as np

    from penstock.bench.batch import first

    socket, gauge = sockets.bind(zmq.PULL, f"fan{number}"), RateGauge(trial)
    count, finished = 0, False
    while not finished:
        frame: Any = socket.recv(copy=False)
        first(np.frombuffer(frame, dtype="float32").reshape(trial.shape))
        count += 1
        finished = number == 0 and gauge.look(count)


def pull_batches(trial: Trial, sockets: Sockets) -> None:
    """Receive arrays, stack 32 of them, read every byte, count."""
    import numpy as np

    from penstock.bench.batch import STACK, read

    socket, gauge = sockets.bind(zmq.PULL, "link"), RateGauge(trial)
    count, finished = 0, False
    while not finished:
        arrays: list[Any] = []
        while len(arrays) < STACK:
            header: Any = socket.recv_json()
            frame = socket.recv()
            arrays.append(np.frombuffer(frame, dtype=header["dtype"]).reshape(header["shape"]))
        read(np.stack(arrays))
        count += STACK
        finished = gauge.look(count)


def pub(trial: Trial, sockets: Sockets) -> None:
    """Publish a new dict as JSON, and again."""
    socket = sockets.bind(zmq.PUB, "topic")
    for number in itertools.count():
        _publish(socket, number)


def pub_alone(trial: Trial, sockets: Sockets) -> None:
    """The same while nobody listens; how long one takes."""
    socket = sockets.bind(zmq.PUB, "topic")
    end, began, number = time.monotonic() + trial.seconds, time.monotonic_ns(), 0
    while number & EVERY or time.monotonic() < end:
        _publish(socket, number)
        number += 1
    trial.report(us=(time.monotonic_ns() - began) / number / 1000)


def _publish(socket: zmq.Socket[bytes], number: int) -> None:
    value = {"number": number, "sensor": SENSOR, "celsius": CELSIUS}
    socket.send_multipart([b"sensor.celsius", json.dumps(value).encode()])


def sub(trial: Trial, sockets: Sockets) -> None:
    """Take them and count."""
    socket = sockets.connect(zmq.SUB, "topic")
    socket.subscribe(b"sensor.")
    count_small(trial, lambda: json.loads(socket.recv_multipart()[1]))


def push_pulses(trial: Trial, sockets: Sockets) -> None:
    """One 64-byte message at a time that says when it left."""
    socket, turns = sockets.connect(zmq.PUSH, "link"), Turns(trial)
    while True:
        socket.send(b"%64d" % time.monotonic_ns())
        turns.wait()


def pull_pulses(trial: Trial, sockets: Sockets) -> None:
    """Compare with the clock on this side."""
    socket, gauge, turns = sockets.bind(zmq.PULL, "link"), DelayGauge(trial), Turns(trial)
    while not gauge.add(int(socket.recv())):
        turns.arrived()


Role = Callable[[Trial, Sockets], None]
ROLES: Mapping[str, Role] = {
    role.__name__: role
    for role in (
        push,
        pull,
        req_arrays,
        rep_arrays,
        copies,
        push_json,
        work_json,
        proxy_front,
        proxy_back,
        pull_json,
        push_json_near,
        pull_json_in_order,
        loop,
        push_arrays,
        pull_arrays,
        push_arrays_far,
        forward_arrays,
        copy_arrays,
        push_fan,
        pull_batches,
        pub,
        pub_alone,
        sub,
        push_pulses,
        pull_pulses,
        req,
        rep,
    )
} | {f"pull_fan{number}": partial(pull_fan, number=number) for number in range(FAN)}


def main(name: str) -> None:
    """Play one role until it is done or killed."""
    trial = Trial.here()
    ROLES[name](trial, Sockets(trial))


if __name__ == "__main__":
    main(sys.argv[1])
