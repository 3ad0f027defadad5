"""One end of a pattern, near or far: which socket, which way it is bound, what it sends.

Ours is made here, pyzmq's own in ``plainzmq``. Both get the same high-water marks, keys and compression.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from penstock.bench.squeeze import squeezer
from penstock.bench.trial import Trial

SIDES = ("near", "far")
"""The first sends, the second receives (and replies)."""
BIND = {"reqrep": "far", "pushpull": "far", "pubsub": "near", "dealerrouter": "far", "pair": "far"}
TOPIC = "bench"
HWM = {"pubsub": 0}
"""A publisher drops what is more than that, and then there is nothing to compare."""
LARGE = 64 * 1024
INPROC = "inproc://bench"
OURS = "ours"


class End(NamedTuple):
    """One end, ours or theirs."""

    send: Callable[[bytes], Any]
    """Of a requester of ours: gives the reply."""
    receive: Callable[[], bytes]
    endpoint: str


def end(trial: Trial, contender: str, pattern: str, side: str, endpoint: str) -> End:
    """That end, with compression where the trial has it."""
    if contender == OURS:
        made = ours(trial, pattern, side, endpoint)
    else:
        from penstock.bench import plainzmq

        made = plainzmq.end(trial, pattern, side, endpoint)
    return squeezed(made, trial.squeeze) if trial.squeeze else made


def squeezed(bare: End, name: str) -> End:
    """The same, sending what a compressor makes of each message."""
    squeeze, restore = squeezer(name)
    return End(lambda data: bare.send(squeeze(data)), lambda: restore(bare.receive()), bare.endpoint)


def ours(trial: Trial, pattern: str, side: str, endpoint: str) -> End:
    """One end by ``penstock.patterns``."""
    from penstock import patterns

    kinds: dict[str, tuple[type[Any], type[Any]]] = {
        "reqrep": (patterns.Requester, patterns.Replier),
        "pushpull": (patterns.Pusher, patterns.Puller),
        "pubsub": (patterns.Publisher, patterns.Subscriber),
        "dealerrouter": (patterns.Dealer, patterns.Router),
        "pair": (patterns.Pair, patterns.Pair),
    }
    options: dict[str, Any] = {"tuning": patterns.Tuning(hwm=HWM.get(pattern, 1000))}
    if pattern != "reqrep":
        options["bind"] = BIND[pattern] == side
    if pattern == "pubsub" and side == "far":
        options["topics"] = TOPIC
    if trial.curve:
        options["curve"] = _curve(trial, binds=BIND[pattern] == side)
    socket = kinds[pattern][SIDES.index(side)](endpoint, timeout=60, **options)
    return _verbs(pattern, side, socket)


def _curve(trial: Trial, *, binds: bool) -> Any:
    from penstock.security.keys import Keyring

    keyring = Keyring(trial.path("keys"))
    return keyring if binds else keyring.towards(keyring.own.public)


def make_keys(trial: Trial) -> None:
    """One key for both ends of a trial, which trusts itself."""
    from penstock.security.curve import new_pair
    from penstock.security.keys import PEERS, Keyring

    os.mkdir(trial.path("keys"), 0o700)
    keyring, pair = Keyring(trial.path("keys")), new_pair()
    keyring.keep(pair)
    keyring.trust(pair.public, PEERS[0], "bench")


def _verbs(pattern: str, side: str, socket: Any) -> End:
    if pattern == "pubsub" and side == "near":
        return End(lambda data: socket.send(TOPIC, data), bytes, socket.endpoint)
    if pattern == "reqrep" and side == "near":
        return End(socket.request, bytes, socket.endpoint)
    send: Any = getattr(socket, "send", None)
    receive: Any = getattr(socket, "receive", None)
    if pattern in {"pubsub", "dealerrouter"}:
        return End(send, lambda: receive()[1], socket.endpoint)
    return End(send, receive, socket.endpoint)


def asks(contender: str, near: End) -> Callable[[bytes], Any]:
    """One round trip."""

    def request(data: bytes) -> bytes:
        near.send(data)
        return near.receive()

    return near.send if contender == OURS else request
