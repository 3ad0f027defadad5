"""Publishing and subscribing, apart from waiting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, Unpack

from penstock.errors import PeerError
from penstock.message.parcel import COPIED
from penstock.message.topics import written
from penstock.patterns.core import REFUSED, Asked, Core, Options, V
from penstock.patterns.keeper import Keeper
from penstock.patterns.roles import KEEPER
from penstock.patterns.topics import PLAIN, Seen, filters, read
from penstock.patterns.tuning import USUAL, check

MOST_HEADS = 10_000
"""Topics that are remembered to be quick."""


class Published(NamedTuple, Generic[V]):
    """What a subscriber receives."""

    topic: str
    value: V


class PublisherCore(Core[Any]):
    """Tells everybody who asked for a topic."""

    def __init__(self, *endpoints: str, last_values: int = 0, **options: Unpack[Options]) -> None:
        """As every socket, and:

        Args:
            endpoints: As of every socket.
            last_values: Of how many topics the last value is kept for subscribers that join late; 0: of none.
            options: ``bind``, ``curve``, ``tuning``. (``timeout`` has no meaning: nobody waits here.)
        """
        self._last_values = int(check("last_values", last_values))
        self._heads: dict[str, bytes] = {}
        super().__init__(*endpoints, **options)
        self._keeper = Keeper(self._wire, self._last_values) if self._last_values else None

    def _kind(self) -> str:
        return KEEPER.kind if self._last_values else self.role.kind

    def _head(self, topic: str) -> bytes:
        """What stands before the values of a topic."""
        head = self._heads.get(topic)
        if head is None:
            head = written(topic)
            if len(self._heads) < MOST_HEADS:
                self._heads[topic] = head
        return head

    def _publish(self, topic: str, value: Any) -> None:
        head = self._head(topic)
        if self._keeper is None:
            self._wire.put(self._pack(value, head + PLAIN), USUAL)
        else:
            self._keeper.publish(head, lambda stamped: self._pack(value, stamped))

    def close(self) -> None:
        """As ever."""
        keeper = getattr(self, "_keeper", None)
        if keeper is not None:
            keeper.close()
        super().close()


class SubscriberCore(Core[V]):
    """Hears what it asked for."""

    def __init__(
        self,
        *endpoints: str,
        topics: Iterable[str] | str = "*",
        of: Asked[V] = None,
        **options: Unpack[Options],
    ) -> None:
        """As every socket, and:

        Args:
            endpoints: As of every socket.
            topics: What to hear: ``weather.paris``, all that begins so with ``weather.*``, or ``*``; one, or
                several.
            of: As of every socket.
            options: ``bind``, ``timeout``, ``curve``, ``tuning``.
        """
        self._filters = filters(topics)
        self._seen = Seen()
        self._names: dict[bytes, str] = {}
        super().__init__(*endpoints, of=of, **options)

    def _prepare(self) -> None:
        for prefix in self._filters:
            self._wire.subscribe(prefix)

    def _opened(self, first: Any) -> Any:
        end = first.find(PLAIN)
        name = self._names.get(first[:end])
        if name is None:
            return self._opened_at_length(first)
        body = first if len(first) <= COPIED else memoryview(first)
        value = super()._opened(body[end + 1 :])
        return value if value is REFUSED else Published(name, value)

    def _opened_at_length(self, first: bytes) -> Any:
        """Of a topic that is new, or a value that may have been here before."""
        try:
            head = read(first)
        except PeerError as error:
            return self._refuse(error)
        value = super()._opened(first[head.size :])
        if value is REFUSED or not self._seen.is_new(head):
            return REFUSED
        if head.stamp is None and len(self._names) < MOST_HEADS:
            self._names[head.topic.encode()] = head.topic
        return Published(head.topic, value)
