"""Peers that have names, apart from waiting."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, Unpack

from penstock.errors import PeerError, UserError
from penstock.message.parcel import Parcel
from penstock.patterns.core import Asked, Core, Options, V

LONGEST_NAME = 255
"""Bytes, as ZeroMQ has it."""


class DealerCore(Core[V]):
    """Talks with routers, or with dealers, and waits for no turn."""

    def __init__(
        self, *endpoints: str, name: bytes = b"", of: Asked[V] = None, **options: Unpack[Options]
    ) -> None:
        """As every socket, and:

        Args:
            endpoints: Of several, each value goes to one, in turn.
            name: What routers know this one by; unless said, they make one up.
            of: As of every socket.
            options: ``bind``, ``timeout``, ``curve``, ``tuning``.
        """
        if len(name) > LONGEST_NAME or name[:1] == b"\0":
            raise UserError(f"{name!r:.80} is no name: one has at most {LONGEST_NAME} bytes, the first not 0")
        self._name = name
        super().__init__(*endpoints, of=of, **options)

    def _prepare(self) -> None:
        if self._name:
            self._wire.be_called(self._name)


class Delivered(NamedTuple, Generic[V]):
    """What a router receives."""

    peer: bytes
    value: V


class RouterCore(Core[V]):
    """Knows its peers by name."""

    def _opened(self, first: Any) -> Any:
        wire = self._wire
        try:
            body = wire.next()
            if not wire.more():
                return Delivered(first, self._value(body))
            rest = wire.rest()
            if body:
                raise PeerError(f"a message of {len(rest) + 1} frames, the first a value")
            return Delivered(first, self._opener.opened(rest))
        except PeerError as error:
            return self._refuse(error)

    def _addressed(self, peer: bytes, value: Any) -> Parcel:
        parcel = self._pack(value)
        return [peer, parcel] if isinstance(parcel, bytes) else [peer, *parcel]
