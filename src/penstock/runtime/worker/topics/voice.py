"""In the worker: what publishes, made when something is. A worker that publishes nothing has none of it."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

from penstock.link.mailing import Mailing
from penstock.link.publisher import Publisher
from penstock.observe.tally import Tally
from penstock.runtime import control
from penstock.runtime.control import Assignment
from penstock.runtime.worker.exchange import Exchange, Stopped
from penstock.runtime.worker.live import Voice

OUTSIDE = 1.0
"""Seconds that a worker waits, at its end, for subscribers that are not of the run."""
PATIENCE = 3.0
"""Seconds after which a worker that drains says for whom it waits."""
TASKS = 5.0
"""Seconds that the worker of a group waits so for all."""


def made(
    assignment: Assignment, sockets: Any, say: Callable[[Any], None], on_idle: Callable[[], None]
) -> Publisher:
    """Bound, and told of.

    Raises:
        OSError: the run directory has no room for it.
        EnvironmentFault: other hosts are to hear it, and there is no port for that.
    """
    path, tally = control.topic_paths(assignment.run_dir, assignment.number)
    expected = [
        Mailing(name, each.ear.topics, conflate=each.ear.conflate, depth=each.depth)
        for name, each in assignment.hearers.items()
    ]
    router, address = sockets.router(f"ipc://{path}"), ""
    if assignment.listen:
        from penstock.link.wideboard import WideRouter  # few runs have other hosts

        router = WideRouter(router, assignment.listen, assignment.curve)
        address = router.address
    publisher = Publisher(router, Tally(tally, create=True), expected=expected, on_idle=on_idle)
    say(control.Publishing(address))
    return publisher


def raised(voice: Voice) -> Publisher:
    """That of a worker with links."""
    exchange = voice.exchange
    exchange.obey(control.Deaf, lambda word: _lose(voice, word))
    return made(voice.assignment, voice.sockets, exchange.channel.say, exchange.guard.knock)


def _lose(voice: Voice, word: control.Deaf) -> None:
    if voice.publisher is not None:  # else it is being made, and hears of the dead when it sends
        voice.publisher.lose(word.name, word.peer, again=word.again)


def until_heard(publisher: Publisher, exchange: Exchange, label: str) -> None:
    """Wait until the run's subscribers have got everything, and those outside too, if that is soon.

    Raises:
        Stopped: the worker was told to end.
    """
    _wait(publisher, exchange, label, None)
    _wait(publisher, exchange, label, exchange.clock() + OUTSIDE)


def _wait(publisher: Publisher, exchange: Exchange, label: str, until: Optional[float]) -> None:
    patience: Optional[float] = exchange.clock() + PATIENCE
    while not publisher.is_settled(outside=until is not None):
        exchange.turn(patience if until is None else until)
        if exchange.stopping:
            raise Stopped
        if until is not None and exchange.clock() >= until:
            return
        if until is None and patience is not None and exchange.clock() >= patience:
            patience = None
            exchange.notice("warning", f"{label} waits for {publisher.awaited}")


class Megaphone:
    """That of a worker without links."""

    def __init__(self, assignment: Assignment, say: Callable[[Any], None]) -> None:
        from penstock.link.sockets import Context  # jobs need no sockets otherwise

        self._sockets = Context()
        self._idle = threading.Event()
        self.publisher = made(assignment, self._sockets, say, self._idle.set)

    def close(self) -> None:
        """Wait a moment for those who have not got everything, and let go."""
        if not self.publisher.is_settled(outside=True):
            self._idle.wait(TASKS)
        self.publisher.close()
        self._sockets.close()
