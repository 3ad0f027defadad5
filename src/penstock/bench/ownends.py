"""The ends of ``penstock.patterns``."""

from __future__ import annotations

from typing import Any

from penstock import patterns
from penstock.bench.ends import BIND, HWM, SIDES, TOPIC, End
from penstock.bench.trial import Trial
from penstock.security.keys import Keyring


def end(trial: Trial, pattern: str, side: str, endpoint: str) -> End:
    """One end by ``penstock.patterns``."""
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
    keyring = Keyring(trial.path("keys"))
    return keyring if binds else keyring.towards(keyring.own.public)


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
