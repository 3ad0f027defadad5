"""One end of a pattern, near or far: which socket, which way it is bound, what it sends.

Ours is made in ``ownends``, pyzmq's own in ``plainzmq``. Both get the same high-water marks, keys and
compression.
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


def squeezed(bare: End, name: str) -> End:
    """The same, sending what a compressor makes of each message."""
    squeeze, restore = squeezer(name)
    return End(lambda data: bare.send(squeeze(data)), lambda: restore(bare.receive()), bare.endpoint)


def make_keys(trial: Trial) -> None:
    """One key for both ends of a trial, which trusts itself."""
    from penstock.security.curve import new_pair
    from penstock.security.keys import PEERS, Keyring

    os.mkdir(trial.path("keys"), 0o700)
    keyring, pair = Keyring(trial.path("keys")), new_pair()
    keyring.keep(pair)
    keyring.trust(pair.public, PEERS[0], "bench")


def asks(contender: str, near: End) -> Callable[[bytes], Any]:
    """One round trip."""

    def request(data: bytes) -> bytes:
        near.send(data)
        return near.receive()

    return near.send if contender == OURS else request
