"""Sockets that only queue: what ``link.sockets`` is between processes, inside one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any


class Wires:
    """All sockets of a rehearsal, by their endpoints."""

    def __init__(self) -> None:
        self._routers: dict[str, Router] = {}

    def router(self, endpoint: str) -> Router:
        """One that takes the messages of all dealers of that endpoint."""
        return self._routers.setdefault(endpoint, Router())

    def dealer(self, endpoint: str, identity: bytes) -> Dealer:
        """One that is joined to the router there."""
        return Dealer(self.router(endpoint), identity)

    def close(self) -> None:
        """Nothing is open."""


class Router:
    """The sender's end."""

    def __init__(self) -> None:
        self.inbox: deque[tuple[bytes, list[Any]]] = deque()
        self.peers: dict[bytes, Dealer] = {}

    def receive(self) -> tuple[bytes, list[Any]] | None:
        """The next message, if one is there: its peer, and its frames."""
        return self.inbox.popleft() if self.inbox else None

    def send(self, peer: bytes, frame: bytes, arrays: Sequence[Any] = ()) -> bool:
        """Whether ``peer`` is there."""
        dealer = self.peers.get(peer)
        if dealer is not None:
            dealer.inbox.append([frame, *arrays])
        return dealer is not None


class Dealer:
    """The receiver's end of one connection."""

    def __init__(self, router: Router, identity: bytes) -> None:
        self.inbox: deque[list[Any]] = deque()
        self._router = router
        self._identity = identity
        router.peers[identity] = self

    def receive(self) -> list[Any] | None:
        """The next message, if one is there."""
        return self.inbox.popleft() if self.inbox else None

    def send(self, frame: bytes) -> bool:
        """There is always room."""
        self._router.inbox.append((self._identity, [frame]))
        return True

    def close(self) -> None:
        """The peer has ended."""
        self._router.peers.pop(self._identity, None)
