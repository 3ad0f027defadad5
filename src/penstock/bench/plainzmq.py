"""The peer of ``penstock.patterns``: the same with plain pyzmq, as people write it, but never the slow way.

Bytes only, time-outs nowhere, large messages without a copy. High-water marks are those of ours, so that
both keep as much on its way.
"""

from __future__ import annotations

from typing import Any

import zmq

from penstock.bench.ends import BIND, HWM, LARGE, SIDES, TOPIC, End
from penstock.bench.trial import Trial
from penstock.security.keys import Keyring

KINDS = {
    "reqrep": (zmq.REQ, zmq.REP),
    "pushpull": (zmq.PUSH, zmq.PULL),
    "pubsub": (zmq.PUB, zmq.SUB),
    "dealerrouter": (zmq.DEALER, zmq.ROUTER),
    "pair": (zmq.PAIR, zmq.PAIR),
}


def end(trial: Trial, pattern: str, side: str, endpoint: str) -> End:
    """One end of a pattern."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(KINDS[pattern][SIDES.index(side)])
    socket.set_hwm(HWM.get(pattern, 1000))
    if pattern == "pubsub" and side == "far":
        socket.setsockopt(zmq.SUBSCRIBE, TOPIC.encode())
    if trial.curve:
        _protect(socket, trial, binds=BIND[pattern] == side)
    if BIND[pattern] == side:
        socket.bind(endpoint)
        endpoint = socket.getsockopt_string(zmq.LAST_ENDPOINT)
    else:
        socket.connect(endpoint)
    return _verbs(pattern, socket, endpoint)


def _protect(socket: zmq.Socket[bytes], trial: Trial, *, binds: bool) -> None:
    own = Keyring(trial.path("keys")).own
    socket.setsockopt(zmq.CURVE_PUBLICKEY, own.public.encode())
    socket.setsockopt(zmq.CURVE_SECRETKEY, own.secret.encode())
    if binds:
        socket.setsockopt(zmq.CURVE_SERVER, 1)
    else:
        socket.setsockopt(zmq.CURVE_SERVERKEY, own.public.encode())


def _verbs(pattern: str, socket: Any, endpoint: str) -> End:
    topic = TOPIC.encode()

    def send(data: bytes) -> None:
        socket.send(data, copy=len(data) < LARGE)

    def publish(data: bytes) -> None:
        socket.send_multipart([topic, data], copy=len(data) < LARGE)

    def from_peer() -> bytes:
        data: bytes = socket.recv_multipart()[1]
        return data

    receive = from_peer if pattern in {"pubsub", "dealerrouter"} else socket.recv
    return End(publish if pattern == "pubsub" else send, receive, endpoint)
