"""Subscribing and publishing from outside: a notebook, a script, the command line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from penstock.errors import NotRunning, PeerError, TimedOut
from penstock.link import noticeboard
from penstock.link.hearing import Hearing, asking
from penstock.link.mailing import DEPTH, Mailing
from penstock.link.publisher import Publisher
from penstock.link.sockets import Context, Waiter
from penstock.message import topics as names
from penstock.message.parcel import Opener
from penstock.observe.tally import DELIVERED, Tally
from penstock.pipeline.duration import Duration, seconds
from penstock.runtime import client, control
from penstock.runtime.control import Hearer

if TYPE_CHECKING:
    from typing_extensions import Self


class Message(NamedTuple):
    """One published value."""

    topic: str
    value: Any
    source: str
    """Who has published it: ``train/0``."""
    at: float
    """When: seconds since 1970."""
    kept: bool
    """It was there before we asked."""


class Subscription:
    """What is published to some topics of a running pipeline; made by ``subscribe``.

    ::

        with penstock.subscribe("metrics.*") as messages:
            for message in messages:
                print(message.topic, message.value)

    It ends with the run. To be used in one thread.

    Attributes:
        refused: Messages that could not be read, and were left out.
    """

    def __init__(
        self, run: client.Run, topics: tuple[str, ...], *, last: bool, conflate: bool, depth: int
    ) -> None:
        wanted = list(names.asked(topics))
        ear = {"topics": wanted, "last": last, "conflate": conflate}
        self._line = client.Line(run, "hear", ear=ear, depth=depth)
        self._name = self._line.answer["name"]
        self._sockets = Context()
        asked = asking(self._name, wanted, last=last, conflate=conflate, depth=depth)
        far = _far(self._sockets, self._line.answer["curve"])
        self._hearing = Hearing(self._sockets, asked, self._line.answer["peer"], far=far)
        self._opener = Opener()
        self._waiter = Waiter({self._line.fileno(): self._obey})
        self._watched = -1
        self._over = self._closed = False
        self.refused = 0
        for each in self._line.answer["publishers"]:
            self._hearing.connect(**each)

    def __iter__(self) -> Iterator[Message]:
        """Until the run is over, or this is closed."""
        while True:
            try:
                yield self.receive()
            except NotRunning:
                return

    def receive(self, timeout: Duration | None = None) -> Message:
        """The next message.

        Args:
            timeout: how long to wait for one, with its unit: ``"5s"``; for ever by default.

        Raises:
            TimedOut: none has come.
            NotRunning: the run is over, and all that has come was received; or this is closed.
        """
        until = None if timeout is None else time.monotonic() + seconds(timeout)
        while True:
            found = self._next()
            if found is not None:
                return found
            if self._over or self._closed:
                raise NotRunning("the subscription is over: its run has ended, or it was closed")
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise TimedOut(f"nothing was published within {timeout}")
            self._wait(left)

    def close(self) -> None:
        """Want no more. Twice is fine."""
        if not self._closed:
            self._closed = True
            if not self._over:
                self._hearing.leave()
            self._line.close()
            self._sockets.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next(self) -> Message | None:
        while (heard := self._hearing.next()) is not None:
            self._hearing.done(heard)
            head = heard.head
            try:
                value = noticeboard.opened(self._opener, heard.frames)
            except PeerError:
                self.refused += 1
                continue
            return Message(head.topic, value, heard.connection.label, head.at / 1e9, head.kept)
        return None

    def _wait(self, left: float | None) -> None:
        if self._watched != self._hearing.changes:
            self._watched = self._hearing.changes
            self._waiter.watch(self._hearing.calls())
        for call in self._waiter.ready(left):
            with suppress(PeerError):  # counted
                call()

    def _obey(self) -> None:
        lines = self._line.heard()
        if lines is None:
            self._over = True
            for number in list(self._hearing.connections):
                self._hearing.gone(number)
            return
        for line in lines:
            if "hear" in line:
                self._hearing.connect(**line["hear"])
            elif "mute" in line:
                self._hearing.gone(line["mute"])


def _far(sockets: Context, curve: list[str] | None) -> Callable[[str, bytes], Any] | None:
    """What reaches publishers of other hosts, if the run may have some."""
    if curve is None:
        return None
    from penstock.link.wideboard import dialling  # few runs have other hosts

    return dialling(sockets, (curve[0], curve[1]))


def subscribe(
    *topics: str,
    pipeline: str | None = None,
    last: bool = False,
    conflate: bool = False,
    depth: int = DEPTH,
) -> Subscription:
    """Get what a running pipeline of this machine publishes, from outside of it.

    Args:
        topics: ``"metrics.loss"``, or with a ``*`` at the end all that begin so.
        pipeline: its name; the only one that runs here by default.
        last: also the last value from before, of each topic that keeps one: ``ctx.publish(..., last=True)``.
        conflate: of each topic only the newest waits for us.
        depth: values that wait for us at each publisher; one more, and the oldest goes.

    Raises:
        NotRunning: there is no such pipeline.
        UserError: there are no topics, or none that can be.
    """
    names.asked(topics)
    return Subscription(client.find(pipeline), topics, last=last, conflate=conflate, depth=depth)


class Outcome(NamedTuple):
    """What became of one value that was published from outside."""

    delivered: int
    missed: int
    """Subscribers that had asked for it and had not taken it in time."""


def publish(run: client.Run, topic: str, value: Any, *, within: float) -> Outcome:
    """Give ``value`` to all who have subscribed to ``topic`` now, and wait until they have it.

    Raises:
        NotRunning: the run is over.
        UserError: that is no topic.
        UnsupportedType: ``value`` does not travel.
    """
    names.written(topic)
    line = client.Line(run, "speak")
    sockets = Context()
    name, run_dir = line.answer["name"], line.answer["run_dir"]
    path, tally = control.topic_paths(run_dir, name)
    hearers = msgspec.convert(line.answer["hearers"], dict[str, Hearer])
    expected = [
        Mailing(each, found.ear.topics, conflate=found.ear.conflate, depth=found.depth)
        for each, found in hearers.items()
    ]
    counted = Tally(tally, create=True)
    settled = threading.Event()
    router: Any = sockets.router(f"ipc://{path}")
    address = ""
    if line.answer["listen"]:
        from penstock.link.wideboard import WideRouter  # few runs have other hosts

        router = WideRouter(router, line.answer["listen"], tuple(line.answer["curve"]))
        address = router.address
    publisher = Publisher(router, counted, expected=expected, on_idle=settled.set)
    try:
        line.say(address)
        publisher.publish(topic, value)
        if not publisher.is_settled():
            settled.wait(within)
        wanted = sum(each.wants(topic) for each in expected)
        delivered = sum(row.words[DELIVERED] for row in counted.rows() if row.subscriber)
        return Outcome(delivered, max(0, wanted - delivered))
    finally:
        publisher.close()
        sockets.close()
        line.close()
