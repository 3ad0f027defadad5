"""In the worker of a subscriber: what is other in it than in those with links."""

from __future__ import annotations

from typing import Optional, cast

from penstock.runtime.worker.handler import Handler
from penstock.runtime.worker.topics import hearer
from penstock.runtime.worker.topics.hearer import Hearer
from penstock.runtime.worker.worker import Worker


class Subscribing(Worker):
    """A worker that takes what is published."""

    def _open(self) -> None:
        hearer.listen(self._exchange, self._assignment, self._sockets)
        super()._open()

    def _work(self) -> Optional[BaseException]:
        Hearer(
            exchange=self._exchange,
            handler=cast("Handler", self._handler),  # it shares its process with nobody
            context=self._context,
            words=self._words,
            label=self._assignment.label,
            loop=self._asyncio,
        ).run()
        return None
