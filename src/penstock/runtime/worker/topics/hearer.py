"""In the worker of a subscriber: the loop that gives user code one published value after the other.

There are no items here: nothing is settled, tried again or written a letter of. What raises is told and
gone. While user code takes its time, the steward takes in what comes, and no more comes than the window.
"""

from __future__ import annotations

import sys
from typing import Any, Callable

from penstock.link import noticeboard
from penstock.link.hearing import Heard, Hearing, asking
from penstock.message.parcel import Opener
from penstock.observe import durations, page
from penstock.runtime import control
from penstock.runtime.control import Assignment
from penstock.runtime.worker import handler
from penstock.runtime.worker.channel import SupervisorLost
from penstock.runtime.worker.exchange import Exchange, Stopped
from penstock.runtime.worker.handler import Handler
from penstock.runtime.worker.live import LiveContext
from penstock.runtime.worker.stint import Stint

LONG = 1_000_000
"""ns in user code after which a publisher is told at once of what is done."""


def listen(exchange: Exchange, assignment: Assignment, sockets: Any) -> None:
    """From here on, connect to publishers as they are named."""
    mine = assignment.ear
    assert mine is not None
    ear = mine.ear
    wishes = {"last": ear.last, "conflate": ear.conflate, "depth": mine.depth}
    asked = asking(assignment.label, ear.topics, inside=True, **wishes)
    far = None
    if assignment.listen:
        from penstock.link.wideboard import dialling  # few runs have other hosts

        far = dialling(sockets, assignment.curve)
    identity = f"{assignment.label}#{assignment.number}"
    exchange.hearing = hearing = Hearing(sockets, asked, identity, far=far)
    exchange.obey(control.Hear, lambda word: hearing.connect(word.peer, word.label, word.endpoint))
    exchange.obey(control.Mute, lambda word: hearing.gone(word.peer))


class Hearer:
    """Runs one replica of a subscriber."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        handler: Handler,
        context: LiveContext,
        words: Any,
        label: str,
        loop: Callable[[], Any],
    ) -> None:
        """``loop``: makes, or has, that of asyncio."""
        assert exchange.hearing is not None
        self._exchange = exchange
        self._hearing = exchange.hearing
        self._handler = handler
        self._context = context
        self._words = words
        self._label = label
        self._loop = loop
        self._opener = Opener()
        self._stint = Stint(exchange, words)

    def run(self) -> None:
        """Until it is drained.

        Raises:
            Stopped: it was told to end.
        """
        exchange, hearing = self._exchange, self._hearing
        while True:
            heard = None if exchange.paused else hearing.next()
            if heard is not None:
                self._process(heard)
                if hearing.waits:
                    exchange.glance()
            elif exchange.draining:
                hearing.leave()
                return
            else:
                exchange.turn()
            if exchange.stopping:
                raise Stopped

    def _process(self, heard: Heard) -> None:
        words, failed = self._words, 0
        self._context.topic = heard.head.topic
        try:
            value = noticeboard.opened(self._opener, heard.frames)
            with self._stint:
                self._call(value)
        except (Stopped, SupervisorLost):
            raise
        except BaseException as error:
            failed = 1
            self._tell(heard, error)
        value = None
        words[page.FAILURES] += failed
        words[page.ITEMS] += 1 - failed
        durations.count(words, page.DURATIONS, 1, self._stint.mine)
        self._hearing.done(heard)
        if self._stint.busy > LONG:
            self._hearing.flush()  # it may be long until the next is done

    def _call(self, value: Any) -> None:
        answer = self._handler.call(value)
        if hasattr(answer, "__await__"):
            self._loop().complete(answer)

    def _tell(self, heard: Heard, error: BaseException) -> None:
        """What it raised, to people: the value is gone."""
        text = handler.user_traceback(error)
        sys.stderr.write(f"{heard.head.topic} from {heard.connection.label}: {text}")
        sys.stderr.flush()
        self._exchange.notice(
            "failure", f"{self._label} failed on {heard.head.topic}: {handler.one_line(error)}"
        )
