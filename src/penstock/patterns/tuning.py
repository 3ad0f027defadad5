"""What a socket is set to, beside its endpoints: every number that is otherwise left to ZeroMQ, and said
nowhere."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from penstock.errors import UserError

USUAL = -1.0
"""In place of a time-out: what the socket was made with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """The finer settings of a socket. All times are seconds."""

    hwm: int = 1000
    """Messages that wait for each peer, at either side; then ``send`` waits (a ``Publisher`` drops). 0: no
    bound."""
    linger: float = 1.0
    """How long what was sent and not yet taken is kept for after ``close``, and so at most holds up the end
    of the process."""
    heartbeat: float = 1.0
    """Seconds between two signs of life that are asked of a peer; after three without one, a connection whose
    host is gone is made anew, and a process that is stopped is told of (``monitor.Silent``), if it is the one
    that is connected to. The kernels ask in whole seconds where nothing is on its way, and all else takes
    ``watch``. 0: never."""
    reconnect: float = 0.1
    """The pause before a lost connection is tried again; it doubles with each failure."""
    reconnect_most: float = 5.0
    """The longest such pause."""
    connect_timeout: float = 1.5
    """After which an attempt to connect is given up and begun anew, with the host's name looked up again."""
    handshake: float = 10.0
    """How long a peer may take to show who it is; then its connection is closed."""
    max_message: int = 1 << 30
    """Bytes of one frame; a peer that announces more is disconnected."""
    max_connections: int = 1000
    """Files that ZeroMQ's queue of connections not yet accepted may hold, where the socket is bound."""
    all_interfaces: bool = False
    """Whether it may listen on all interfaces (``tcp://*:5555``)."""
    watch: bool = True
    """Whether its connections are looked after, by a thread: what happens to them is logged, and who is
    revoked is cut off (not over ``inproc``)."""

    def __post_init__(self) -> None:
        """Refuse what ZeroMQ would take for something else, as it does a negative time-out."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) != (field.type == "bool"):
                raise UserError(f"{field.name}={value!r} is not a {field.type}")
            check(field.name, value)


def check(name: str, value: Any) -> float:
    """``value``, if it is a number from 0 on that a C int holds, in milliseconds too.

    Raises:
        UserError: it is none.
    """
    if not (isinstance(value, (int, float)) and 0 <= value < math.inf):
        raise UserError(f"{name}={value!r} is not a number from 0 on")
    return float(value)


def milliseconds(seconds: float | None) -> int:
    """For ZeroMQ; None is for ever. At least one, unless it is nothing at all."""
    return -1 if seconds is None else min(math.ceil(seconds * 1000), 2**31 - 1)
