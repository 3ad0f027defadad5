"""Devices: two sockets, and a thread that passes on between them what comes, until it is told to stop.

libzmq's own proxy can only be ended by ending its context, counts nothing, and goes on or not as a third
socket says that may fail as well. This one counts, and stops when it is asked to: it takes nothing new,
passes on what has come, and closes. What it passes on it does not read; it keeps no more than one message in
hand, so a full socket behind it is felt before it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import ClassVar, NamedTuple, Self

from penstock.lifecycle import monotonic
from penstock.patterns import frames
from penstock.patterns.frames import Ended, Frames, NobodyThere, Watch
from penstock.patterns.roles import Role
from penstock.patterns.tuning import Tuning
from penstock.patterns.wire import Wire
from penstock.security.curve import Curve

BURST = 100
"""Messages one way before the other way has its turn."""


class Counts(NamedTuple):
    """What a device has done so far."""

    forth: int = 0
    """Messages from its front to its back."""
    back: int = 0
    """Messages the other way: replies, subscriptions."""
    bytes: int = 0
    """Of both."""
    dropped: int = 0
    """Messages for somebody who was gone."""


class _Way:
    """One direction."""

    def __init__(self, source: Wire, target: Wire) -> None:
        self.source, self.target = source, target
        self.in_hand: Frames | None = None
        self.messages = self.bytes = self.dropped = 0

    @property
    def watch(self) -> Watch:
        """What it waits for."""
        return Watch(self.source, True) if self.in_hand is None else Watch(self.target, False)

    def move(self) -> bool:
        """Pass on a burst; whether there may be more now."""
        for _ in range(BURST):
            if self.in_hand is None:
                self.in_hand = frames.take(self.source)
            if self.in_hand is None or not self._pass_on(self.in_hand):
                return False
            self.in_hand = None
        return True

    def _pass_on(self, message: Frames) -> bool:
        try:
            if not frames.give(self.target, message):
                return False
        except NobodyThere:
            self.dropped += 1
            return True
        self.messages += 1
        self.bytes += frames.size(message)
        return True


class _Device:
    """What the three share: a thread has both sockets, from ``start`` to ``stop``."""

    front: ClassVar[Role]
    back: ClassVar[Role]
    both_ways: ClassVar[bool] = True

    def __init__(
        self,
        front: str,
        back: str,
        *,
        front_binds: bool = True,
        back_binds: bool = True,
        curve: Curve | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        """Nothing is opened before ``start``, or ``with``.

        Args:
            front: The endpoint that others send to.
            back: The endpoint that it comes out at.
            front_binds: Whether others find it there.
            back_binds: The same, of the other end.
            curve: As of sockets; it holds for both ends.
            tuning: The finer settings of both.
        """
        self._asked = ((self.front, front, front_binds), (self.back, back, back_binds))
        self._curve, self._tuning = curve, tuning or Tuning()
        self._ways: list[_Way] = []
        self._opened = threading.Event()
        self._error: BaseException | None = None
        self._within = 0.0
        self._thread: threading.Thread | None = None
        self.front_endpoint = self.back_endpoint = ""
        """Where it is, once it is started."""

    def start(self) -> Self:
        """Open both ends; when this returns, it passes on.

        Raises:
            UserError: an end cannot be opened.
        """
        self._stop, self._stopped = os.pipe()
        self._pid = os.getpid()
        self._thread = threading.Thread(
            target=self._live, name=f"penstock-{type(self).__name__}", daemon=True
        )
        self._thread.start()
        self._opened.wait()
        if self._error is not None:
            self._finish()
            raise self._error
        return self

    def stop(self, within: float = 1.0) -> Counts:
        """Pass on what has come, for at most ``within`` seconds, and close. Again, it is nothing."""
        if self._thread is not None and self._pid == os.getpid():  # a fork's child has the parent's pipe
            self._within = within
            os.write(self._stopped, b"!")
            self._finish()
        return self.counts

    def _finish(self) -> None:
        assert self._thread is not None
        self._thread.join()
        self._thread = None
        os.close(self._stop)
        os.close(self._stopped)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *exception: object) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def counts(self) -> Counts:
        """What it has done so far."""
        forth = self._ways[0].messages if self._ways else 0
        back = sum(way.messages for way in self._ways[1:])
        total, dropped = sum(way.bytes for way in self._ways), sum(way.dropped for way in self._ways)
        return Counts(forth, back, total, dropped)

    # ----------------------------------------------------------------------------------- its thread

    def _live(self) -> None:
        wires: list[Wire] = []
        try:
            for role, endpoint, binds in self._asked:
                wires.append(self._open(role, endpoint, binds=binds))
        except BaseException as error:  # noqa: BLE001  it is raised where it was started
            self._error = error
        else:
            self.front_endpoint, self.back_endpoint = (wire.endpoints[0] for wire in wires)
            self._ways = [_Way(*wires), *([_Way(*wires[::-1])] if self.both_ways else [])]
        self._opened.set()
        if self._error is None:
            with suppress(Ended):
                self._pass_on_until_told()
                self._pass_on_what_has_come()
        for wire in wires:
            wire.close()

    def _open(self, role: Role, endpoint: str, *, binds: bool) -> Wire:
        name = f"{type(self).__name__}'s {role.kind}"
        wire = Wire(name, role.kind, binds=binds, timeout=0, curve=self._curve, tuning=self._tuning)
        try:
            wire.open([endpoint])
        except BaseException:
            wire.close()
            raise
        return wire

    def _pass_on_until_told(self) -> None:
        while self._stop not in frames.wait([way.watch for way in self._ways], self._stop):
            for way in self._ways:
                way.move()

    def _pass_on_what_has_come(self) -> None:
        end = monotonic() + self._within
        while monotonic() < end:
            more = [way.move() for way in self._ways]
            stuck = [way.watch for way in self._ways if way.in_hand is not None]
            if stuck:
                frames.wait(stuck, None, max(0.0, end - monotonic()))
            elif not any(more):
                return


class Streamer(_Device):
    """Takes from pushers and hands out to pullers: a fixed place between both."""

    front, back = Role("PULL", binds=True), Role("PUSH", binds=True)
    both_ways = False


class Forwarder(_Device):
    """Takes from publishers and tells subscribers: a fixed place between both."""

    front, back = Role("XSUB", binds=True), Role("XPUB", binds=True)


class Queue(_Device):
    """Takes requests and has repliers answer them, in turn: a fixed place between both."""

    front, back = Role("ROUTER", binds=True), Role("DEALER", binds=True)
