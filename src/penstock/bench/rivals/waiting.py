"""How many messages wait in a queue of RabbitMQ: what of a peer's jobs is not done yet."""

from __future__ import annotations

from typing import Self

import pika


class Waiting:
    """Asks for one queue."""

    def __init__(self, broker: str, queue: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(broker))
        self._channel = self._connection.channel()
        self._queue = queue

    def count(self) -> int:
        """So many are ready. Those that a worker holds are not."""
        return int(self._channel.queue_declare(self._queue, passive=True).method.message_count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave, and the queue with us: the next run has its own."""
        self._channel.queue_delete(self._queue)
        self._connection.close()
