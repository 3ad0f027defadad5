"""In the worker: where all messages come in and go out. With the lock held, whoever the thread is.

The main thread calls ``turn`` when it has nothing to do and ``pump`` from inside user code that makes
items; the steward calls ``turn`` while user code takes its time.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any, Callable, Dict

from penstock.errors import PeerError
from penstock.link.receiver import Receiver
from penstock.link.sender import Sender
from penstock.link.sockets import wait
from penstock.observe import page
from penstock.runtime import control
from penstock.runtime.channel import Channel, SupervisorLost
from penstock.runtime.steward import Guard

LOOK = 0.001
"""Seconds: how often a busy worker looks at its sockets. Meanwhile items gather into batches."""

MOST = 2048
"""Items between two looks."""

TOLD = 5
"""Refused messages that people are told of; the page counts all."""


class Stopped(BaseException):
    """The worker was told to end now; unwinds user code that waits for room."""


class Exchange:
    """The sockets of one worker and what it was told."""

    def __init__(self, channel: Channel, *, number: int, words: Any) -> None:
        self.channel = channel
        self.guard = Guard(self._steward_turn)
        self.sender: Sender
        self.receiver: Receiver
        self.draining = False
        """Nothing new is to be begun."""
        self.stopping = False
        """End after the current item."""
        self.interruptible = False
        """Whether SIGTERM gets the main thread out of a source's ``next()``."""
        self._number = number
        self._words = words
        self._refused = 0
        self._looked = 0.0
        self._made = 0
        self._obedience: Dict[type, Callable[[Any], None]] = {
            control.Connect: self._connect,
            control.Gone: self._gone,
            control.Drain: self._drain,
            control.Stop: self._stop,
        }

    def use(self, sender: Sender, receiver: Receiver) -> None:
        """The two ends this worker serves."""
        self.sender, self.receiver = sender, receiver

    def notice(self, kind: str, text: str) -> None:
        """Tell people."""
        self.channel.say(control.Notice(kind, text))

    def pump(self) -> None:
        """From inside user code: send, take what has come, and wait while a link is full.

        Raises:
            Stopped: the worker was told to end.
        """
        self.guard.enter()
        try:
            self._pace()
            self.serve()
            while self.sender.full and not self.stopping:
                self.turn()
            if self.stopping:
                raise Stopped
        finally:
            self.guard.leave()

    def until_settled(self) -> None:
        """Wait until everything that was made here is settled.

        Raises:
            Stopped: the worker was told to end.
        """
        self.serve()
        while not self.sender.idle:
            self.turn()
            if self.stopping:
                raise Stopped

    def turn(self) -> None:
        """Wait until there is something to do, and do it. Never runs user code."""
        due = self.sender.next_due()
        timeout = None if due is None else max(0.0, due - time.monotonic())
        self.receiver.flush()  # views dropped since the last look; those dropped later wake us
        self.guard.waiting = True
        try:
            files = (self.channel.fileno(), self.guard.wake_fd)
            ready = wait([self.sender.router, *self.receiver.dealers()], files, timeout)
        finally:
            self.guard.waiting = False
        if self.guard.wake_fd in ready:
            self.guard.hear()
        self.serve()

    def serve(self) -> None:
        """Take every message that has come; send what may be sent now. Does not wait."""
        for message in self.channel.receive():
            self._obedience[type(message)](message)
        router = self.sender.router
        frames = router.receive()
        while frames is not None:
            self._take(self.sender.handle, frames)
            frames = router.receive()
        for connection in list(self.receiver.connections.values()):
            while connection.open:
                frames = connection.dealer.receive()
                if frames is None:
                    break
                self._take(self.receiver.handle, connection, frames)
        self.sender.flush()
        self.receiver.flush()

    def _pace(self) -> None:
        """Set the stride so that user code is left alone for about ``LOOK``, at the rate of the last stride.
        (Should the next item take much longer, the steward looks in its place.)"""
        now, made = time.monotonic(), self.sender.made
        items, elapsed = made - self._made, now - self._looked
        self.sender.stride = max(1, min(MOST, int(items * LOOK / elapsed))) if elapsed > 0 else MOST
        self._looked, self._made = now, made

    def interrupt_source(self) -> None:
        """Get the main thread out of a source's ``next()``, if it is there."""
        if self.interruptible:
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGTERM)

    def _steward_turn(self) -> None:
        if self.draining:
            self.interrupt_source()
        try:
            self.turn()
        except SupervisorLost:
            os._exit(1)  # user code may never come back, and nobody is left to wait for it

    def _take(self, handle: Callable[..., None], *arguments: Any) -> None:
        """A message that is none of the protocol is counted and told, and changes nothing."""
        try:
            handle(*arguments)
        except PeerError as error:
            self._refused += 1
            self._words[page.REFUSED] = self._refused
            if self._refused <= TOLD:
                self.notice("refused", str(error))

    def _connect(self, message: control.Connect) -> None:
        self.receiver.connect(message.link, message.peer, message.label, message.endpoint)

    def _gone(self, message: control.Gone) -> None:
        self.receiver.gone(message.peer)
        blame, item = message.blame, None
        if blame is not None and blame.sender == self._number:
            item = (blame.link, blame.batch, blame.index)
        self.sender.lose(message.peer, f"{message.label} {message.cause or 'ended'}", item)

    def _drain(self, _: control.Drain) -> None:
        self.draining = True
        self.receiver.leave()
        self.sender.alarm()
        self.interrupt_source()

    def _stop(self, _: control.Stop) -> None:
        self.draining = self.stopping = True
        self.sender.alarm()
        self.interrupt_source()

