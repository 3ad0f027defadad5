"""What publishes in a rehearsal: each subscriber gets everything at once, as nobody is slow here."""

from __future__ import annotations

import time
from typing import Any

from penstock.link.noticeboard import Head
from penstock.link.publisher import note
from penstock.message import topics
from penstock.message.parcel import Packer
from penstock.runtime import control
from penstock.runtime.control import Assignment
from penstock.runtime.worker.exchange import Exchange
from penstock.runtime.worker.live import Voice
from penstock.testing.wires import Router


class Spoken:
    """In place of ``link.publisher.Publisher``."""

    def __init__(self, assignment: Assignment, router: Router, said: list[tuple[str, Any]]) -> None:
        """``said``: where it is written down."""
        self._hearers = assignment.hearers
        self._router = router
        self._packer = Packer()
        self._said = said

    def publish(self, topic: str, value: Any, *, last: bool = False) -> None:
        """As in a run; ``last`` changes nothing, as all are here from the beginning."""
        topics.written(topic)
        sent = note(Head(topic, time.time_ns()), self._packer.packed(value))
        self._said.append((topic, value))
        for peer in list(self._router.peers):
            hearer = self._hearers.get(peer.decode().rpartition("#")[0])
            if hearer is not None and topics.wants(hearer.ear.topics, topic):
                self._router.send(peer, sent.frame, sent.arrays)

    def lose(self, name: str, peer: str, *, again: bool) -> None:
        """Nobody is lost here."""

    def is_settled(self, *, outside: bool = False) -> bool:
        """It always is."""
        return True

    def close(self) -> None:
        """Nothing is open."""


class Quiet(Voice):
    """Makes one."""

    def __init__(
        self, assignment: Assignment, exchange: Exchange, sockets: Any, said: list[tuple[str, Any]]
    ) -> None:
        super().__init__(assignment, exchange, sockets)
        self._said = said

    def _make(self) -> Spoken:
        path, _ = control.topic_paths(self.assignment.run_dir, self.assignment.number)
        return Spoken(self.assignment, self.sockets.router(f"ipc://{path}"), self._said)
