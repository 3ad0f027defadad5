"""The nine kinds of socket: what ZeroMQ calls them, and whether they bind unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """One kind."""

    kind: str
    """ZeroMQ's word."""
    binds: bool
    """Whether it is the one that others find."""


REQUESTER, REPLIER = Role("REQ", binds=False), Role("REP", binds=True)
PUSHER, PULLER = Role("PUSH", binds=False), Role("PULL", binds=True)
PUBLISHER, SUBSCRIBER = Role("PUB", binds=True), Role("SUB", binds=False)
KEEPER = Role("XPUB", binds=True)
"""A publisher that keeps last values: it has to hear who subscribes."""
DEALER, ROUTER = Role("DEALER", binds=False), Role("ROUTER", binds=True)
PAIR = Role("PAIR", binds=False)
